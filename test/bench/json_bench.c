/*
 * json_bench.c
 *		Speed of the JSON reader beside that of jansson's json_loadb().
 *
 *		cc -O2 -DAPM_STANDALONE -Isrc -o json_bench test/bench/json_bench.c \
 *			src/json/reader.c src/json/number.c src/json/text.c -ljansson -lm
 *		json_bench [-v] [-r rounds] file...
 *
 * Every file is one JSON document, or else every line of it that is one is
 * taken (an envelope holds JSON by lines).  Three subjects read the same
 * documents in turn, round after round, so that whatever else the machine
 * does hits all of them:
 *
 *		skip	json_reader_skip(): checks everything, hands out nothing
 *		walk	every key, string and number is handed out, and times are
 *				converted to microseconds, as a decoder does
 *		load	json_loadb() and json_decref()
 *
 * Printed are medians of CPU time over the rounds.
 */
#include <jansson.h>
#include <math.h>
#include <time.h>

#include "json/reader.h"

#define MAX_DOCUMENTS	100000
#define MAX_ROUNDS		101
#define ROUND_SECONDS	0.05
#define WALK_DEPTH		128

typedef struct Document
{
	const char *data;
	size_t		len;
} Document;

typedef bool (*Subject) (const Document *doc);

static const char *const subject_names[] = {"skip", "walk", "load"};

/* What a walk finds; kept so that the compiler cannot leave the work out. */
static volatile uint64 checksum;

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static bool
read_skip(const Document *doc)
{
	JsonReader	r;

	json_reader_init(&r, doc->data, doc->len, WALK_DEPTH);
	return json_reader_skip(&r) && json_reader_finish(&r);
}

/* Returns a sum over what it was handed, to be put into the checksum. */
static uint64
walk_value(JsonReader *r, bool is_time)
{
	uint64		sum = 0;
	JsonString	s;
	ApmStr		number;
	int64		micros;
	bool		flag;

	switch (json_reader_peek(r))
	{
		case JSON_KIND_OBJECT:
			if (json_reader_enter_object(r))
			{
				while (json_reader_next_key(r, &s))
					sum += walk_value(r, json_string_is(&s, "timestamp") ||
									  json_string_is(&s, "start_timestamp"));
			}
			return sum;
		case JSON_KIND_ARRAY:
			if (json_reader_enter_array(r))
			{
				while (json_reader_next_element(r))
					sum += walk_value(r, false);
			}
			return sum;
		case JSON_KIND_STRING:
			return json_reader_string(r, &s) ? s.len : 0;
		case JSON_KIND_NUMBER:
			if (!json_reader_number(r, &number))
				return 0;
			if (is_time && json_number_micros(number, &micros))
				return micros;
			return (uint64) fabs(json_number_double(number));
		case JSON_KIND_NULL:
			return json_reader_null(r);
		case JSON_KIND_TRUE:
		case JSON_KIND_FALSE:
			return json_reader_bool(r, &flag) && flag;
		case JSON_KIND_ERROR:
			break;
	}
	return 0;
}

static bool
read_walk(const Document *doc)
{
	JsonReader	r;

	json_reader_init(&r, doc->data, doc->len, WALK_DEPTH);
	checksum += walk_value(&r, false);
	return json_reader_finish(&r);
}

static bool
read_load(const Document *doc)
{
	json_error_t error;
	json_t	   *tree = json_loadb(doc->data, doc->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

	json_decref(tree);
	return tree != NULL;
}

static const Subject subjects[] = {read_skip, read_walk, read_load};

static void
run(Subject subject, const Document *docs, int ndocs, int times)
{
	while (times-- > 0)
	{
		int			i;

		for (i = 0; i < ndocs; i++)
		{
			if (!subject(&docs[i]))
				abort();
		}
	}
}

static int
double_cmp(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Times all subjects over some documents and prints one line. */
static void
compare(const char *name, const Document *docs, int ndocs, int rounds)
{
	double		speed[lengthof(subjects)][MAX_ROUNDS];
	double		median[lengthof(subjects)];
	int			times[lengthof(subjects)];
	size_t		bytes = 0;
	int			round;
	int			i;

	for (i = 0; i < ndocs; i++)
		bytes += docs[i].len;
	for (i = 0; i < (int) lengthof(subjects); i++)
	{
		double		took = 0;

		/* As many repetitions as fill a round; this also warms the caches. */
		for (times[i] = 1; took < ROUND_SECONDS / 2; times[i] *= 2)
		{
			double		start = cpu_seconds();

			run(subjects[i], docs, ndocs, times[i]);
			took = cpu_seconds() - start;
		}
	}
	for (round = 0; round < rounds; round++)
	{
		for (i = 0; i < (int) lengthof(subjects); i++)
		{
			double		start = cpu_seconds();

			run(subjects[i], docs, ndocs, times[i]);
			speed[i][round] = (double) bytes * times[i] / (cpu_seconds() - start) / 1e6;
		}
	}
	printf("%-44s %5d docs %9zu bytes", name, ndocs, bytes);
	for (i = 0; i < (int) lengthof(subjects); i++)
	{
		qsort(speed[i], rounds, sizeof(double), double_cmp);
		median[i] = speed[i][rounds / 2];
		printf("  %s %6.0f MB/s", subject_names[i], median[i]);
	}
	printf("  skip/load %5.1f  walk/load %5.1f\n", median[0] / median[2], median[1] / median[2]);
}

static char *
read_file(const char *path, size_t *len)
{
	FILE	   *f = fopen(path, "rb");
	size_t		room = 1 << 16;
	char	   *data = palloc(room);
	size_t		n;

	*len = 0;
	if (f == NULL)
	{
		perror(path);
		exit(1);
	}
	while ((n = fread(data + *len, 1, room - *len, f)) > 0)
	{
		*len += n;
		if (*len == room)
			data = repalloc(data, room *= 2);
	}
	fclose(f);
	return data;
}

/* A document, if jansson and reader agree that it is one. */
static int
add(Document *docs, int ndocs, const char *data, size_t len)
{
	Document	doc = {data, len};

	if (ndocs == MAX_DOCUMENTS || !read_skip(&doc) || !read_load(&doc))
		return ndocs;
	docs[ndocs] = doc;
	return ndocs + 1;
}

static int
split(Document *docs, int ndocs, const char *data, size_t len)
{
	const char *end = data + len;
	int			before = ndocs;

	ndocs = add(docs, ndocs, data, len);
	if (ndocs > before)
		return ndocs;
	while (data < end)
	{
		const char *newline = memchr(data, '\n', end - data);
		const char *stop = newline != NULL ? newline : end;

		ndocs = add(docs, ndocs, data, stop - data);
		data = stop + 1;
	}
	return ndocs;
}

int
main(int argc, char **argv)
{
	Document   *docs = palloc(sizeof(Document) * MAX_DOCUMENTS);
	int			ndocs = 0;
	int			rounds = 11;
	bool		verbose = false;
	int			i;

	for (i = 1; i < argc; i++)
	{
		size_t		len;
		char	   *data;
		int			before = ndocs;

		if (strcmp(argv[i], "-v") == 0)
		{
			verbose = true;
			continue;
		}
		if (strcmp(argv[i], "-r") == 0 && i + 1 < argc)
		{
			rounds = atoi(argv[++i]);
			rounds = Min(Max(rounds, 1), MAX_ROUNDS);
			continue;
		}
		data = read_file(argv[i], &len);
		ndocs = split(docs, ndocs, data, len);
		if (verbose && ndocs > before)
			compare(strrchr(argv[i], '/') != NULL ? strrchr(argv[i], '/') + 1 : argv[i],
					docs + before, ndocs - before, rounds);
	}
	if (ndocs == 0)
	{
		fprintf(stderr, "usage: json_bench [-v] [-r rounds] file...\n");
		return 1;
	}
	compare("total", docs, ndocs, rounds);
	return 0;
}
