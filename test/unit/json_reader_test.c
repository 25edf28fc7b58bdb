/*
 * json_reader_test.c
 *		The JSON reader: verdicts, positions, protocol; against jansson.
 *
 * Arguments, or the variable APM_DATA_DIR, name directories whose files are
 * read as further documents, whole and line by line.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "json_cases.h"
#include "json_oracle.h"

static int	failures = 0;
static long ndocuments = 0;

#define CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			failures++; \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
		} \
	} while (0)

static void
complain(const char *what, const char *text, size_t len)
{
	size_t		i;

	failures++;
	printf("%s: ", what);
	for (i = 0; i < Min(len, 200); i++)
		printf((unsigned char) text[i] >= ' ' && (unsigned char) text[i] < 0x7f ? "%c" : "\\x%02x",
			   (unsigned char) text[i]);
	printf("\n");
}

/* All readers, and jansson, about one document. */
static JsonDifference
check_document(const char *text, size_t len)
{
	JsonDifference difference = JSON_SAME;
	const char *problem = json_oracle_check(text, len, JSON_DEPTH_LIMIT, &difference);

	ndocuments++;
	if (problem != NULL)
		complain(problem, text, len);
	return difference;
}

static JsonReader
reader_of(const char *text)
{
	JsonReader	r;

	json_reader_init(&r, text, strlen(text), 16);
	return r;
}

static void
test_cases(void)
{
	int			i;

	for (i = 0; i < (int) lengthof(json_cases); i++)
	{
		const JsonCase *c = &json_cases[i];
		JsonOutcome o = json_outcome_of_skip(c->text, c->len, 64, false);

		if (check_document(c->text, c->len) != c->difference)
			complain("not the difference from jansson that is listed", c->text, c->len);
		if (o.error != c->error || o.offset != c->offset)
		{
			complain("verdict", c->text, c->len);
			printf("    expected %s at %zu, got %s at %zu\n", json_error_text(c->error), c->offset,
				   json_error_text(o.error), o.offset);
		}
	}
}

/*
 * Every beginning of a valid document ends early.  Only a top-level number
 * can be cut to another document.
 */
static void
check_truncation(const char *text, size_t len, size_t step)
{
	size_t		n;

	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	for (n = 0; n < len; n += step)
	{
		char	   *part = palloc(n);
		JsonOutcome o;

		memcpy(part, text, n);
		o = json_outcome_of_skip(part, n, JSON_DEPTH_LIMIT, false);
		if (o.error == JSON_OK ? json_outcome_of_skip(text, len, 0, false).error != JSON_OK :
			o.error != JSON_ERR_EOF || o.offset != n)
			complain("truncated document does not end early", text, n);
		pfree(part);
	}
}

/* A transaction as an SDK would send it, with something of everything. */
static const char sample[] =
	"{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\",\"type\":\"transaction\","
	"\"transaction\":\"GET /caf\xc3\xa9/{id}\",\"start_timestamp\":1767581155.029869,\n"
	"\"timestamp\":1.767581155129e9,\"contexts\":{\"trace\":{\"op\":\"http.server\",\"status\":null,"
	"\"data\":{\"n\":-0.5e-3,\"ok\":true,\"no\":false,\"list\":[ 1, 2 ,3,[],{}]}}},"
	"\"tags\":[[\"a\",\"\\ud83d\\ude00\\u00e9\\\\\"],[\"nul\",\"\\u0000\"]],\"\\u0074\":\"\xf0\x9f\x98\x80\"} ";

static void
test_truncation(void)
{
	int			i;
	size_t		n;

	for (i = 0; i < (int) lengthof(json_cases); i++)
	{
		if (json_cases[i].error == JSON_OK)
			check_truncation(json_cases[i].text, json_cases[i].len, 1);
	}
	check_truncation(sample, sizeof(sample) - 1, 1);
	for (n = 0; n < sizeof(sample); n++)
		check_document(sample, n);
}

static uint64 random_state = 88172645463325252u;

static uint32
next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32) (random_state >> 16);
}

/* One byte changed, left out or put in, at every place. */
static void
check_mutations(const char *text, size_t len)
{
	static const char bytes[] = "\"\\{}[],:0123456789eE+-.tfnu \n\x00\x1f\x7f\x80\xbf\xc2\xe0\xed\xf0\xf4\xff";
	char	   *copy = palloc(len + 1);
	size_t		i;

	for (i = 0; i < len; i++)
	{
		int			round;

		for (round = 0; round < 6; round++)
		{
			memcpy(copy, text, len);
			copy[i] = round < 4 ? bytes[next_random() % (sizeof(bytes) - 1)] : (char) next_random();
			check_document(copy, len);
		}
		memmove(copy + i, text + i + 1, len - i - 1);
		memcpy(copy, text, i);
		check_document(copy, len - 1);
		memcpy(copy, text, i);
		copy[i] = bytes[next_random() % (sizeof(bytes) - 1)];
		memcpy(copy + i + 1, text + i, len - i);
		check_document(copy, len + 1);
	}
	pfree(copy);
}

static void
test_mutations(void)
{
	int			i;

	for (i = 0; i < (int) lengthof(json_cases); i++)
		check_mutations(json_cases[i].text, json_cases[i].len);
	check_mutations(sample, sizeof(sample) - 1);
}

static void
test_surrogates(void)
{
	static const struct
	{
		const char *text;
		uint32		lone;
		size_t		strict_offset;	/* of the first, 0 if none */
	}			cases[] = {
		{"\"\\ud83d\\ude00\"", 0, 0},
		{"\"\\ud800\"", 1, 1},
		{"\"\\udfff\"", 1, 1},
		{"\"a\\ud800b\"", 1, 2},
		{"\"\\ud800\\u0041\"", 1, 1},
		{"\"\\ud800\\n\"", 1, 1},
		{"\"\\ud800\\ud800\\udc00\"", 1, 1},
		{"\"\\ud800\\udc00\\udc00\"", 1, 13},
		{"\"\\udc00\\ud800\"", 2, 1},
		{"\"\\udbff\\udbff\\udbff\"", 3, 1},
		{"\"\\\\ud800\"", 0, 0},
		{"{\"\\ud800\":\"\\udc00\"}", 2, 2},
	};
	int			i;

	for (i = 0; i < (int) lengthof(cases); i++)
	{
		size_t		len = strlen(cases[i].text);
		JsonOutcome lenient = json_outcome_of_skip(cases[i].text, len, 8, false);
		JsonOutcome strict = json_outcome_of_skip(cases[i].text, len, 8, true);

		check_document(cases[i].text, len);
		if (lenient.error != JSON_OK || lenient.lone_surrogates != cases[i].lone ||
			((lenient.seen & JSON_SEEN_SURROGATE) != 0) != (cases[i].lone > 0))
			complain("lone surrogates", cases[i].text, len);
		if (cases[i].lone == 0 ? strict.error != JSON_OK :
			strict.error != JSON_ERR_SURROGATE || strict.offset != cases[i].strict_offset)
			complain("lone surrogates, strict", cases[i].text, len);
	}

	/* A high surrogate at the end of the input may still get its other half. */
	{
		static const char pair[] = "\"\\ud83d\\ude00";
		size_t		n;

		for (n = 1; n < sizeof(pair); n++)
		{
			JsonOutcome o = json_outcome_of_skip(pair, n, 8, true);

			if (o.error != JSON_ERR_EOF || o.offset != n)
				complain("cut surrogate pair, strict", pair, n);
		}
	}
}

static void
test_depth(void)
{
	enum {deep = 20000};
	char	   *text = palloc(2 * deep);
	JsonOutcome o;
	JsonReader	r;
	int			i;

	memset(text, '[', deep);
	memset(text + deep, ']', deep);
	o = json_outcome_of_skip(text, 2 * deep, 128, false);
	CHECK(o.error == JSON_ERR_DEPTH && o.offset == 128);
	o = json_outcome_of_skip(text, 2 * deep, deep, false);
	CHECK(o.error == JSON_ERR_DEPTH && o.offset == JSON_DEPTH_LIMIT);
	o = json_outcome_of_skip(text + deep - 128, 256, 128, false);
	CHECK(o.error == JSON_OK && o.offset == 256);
	o = json_outcome_of_skip(text + deep - JSON_DEPTH_LIMIT, 2 * JSON_DEPTH_LIMIT, deep, false);
	CHECK(o.error == JSON_OK);
	CHECK(check_document(text, 2 * deep) == JSON_SAME);
	CHECK(check_document(text + deep - 2000, 4000) == JSON_DIFF_DEPTH);
	CHECK(check_document(text + deep - JSON_DEPTH_LIMIT, 2 * JSON_DEPTH_LIMIT) == JSON_SAME);

	/* What is already open counts. */
	json_reader_init(&r, text + deep - 5, 10, 4);
	CHECK(json_reader_enter_array(&r) && json_reader_next_element(&r));
	CHECK(json_reader_enter_array(&r) && json_reader_next_element(&r) && r.depth == 2);
	CHECK(!json_reader_skip(&r) && r.error == JSON_ERR_DEPTH && json_reader_offset(&r) == 4);

	/* Objects and arrays take turns. */
	for (i = 0; i < deep; i += 6)
		memcpy(text + i, "{\"a\":[", Min(6, deep - i));
	o = json_outcome_of_skip(text, deep, 128, false);
	CHECK(o.error == JSON_ERR_DEPTH && o.offset == 64 * 6);
	o = json_outcome_of_skip("{}", 2, 0, false);
	CHECK(o.error == JSON_ERR_DEPTH && o.offset == 0);
	o = json_outcome_of_skip("[]", 2, -1, false);
	CHECK(o.error == JSON_ERR_DEPTH);
	o = json_outcome_of_skip("1", 1, 0, false);
	CHECK(o.error == JSON_OK);
	pfree(text);
}

static void
test_protocol(void)
{
	JsonReader	r;
	JsonString	s;
	ApmStr		text;
	bool		flag;

	/* Wrong kinds, and errors that stay. */
	r = reader_of(" 1 ");
	CHECK(!json_reader_string(&r, &s) && r.error == JSON_ERR_TYPE && json_reader_offset(&r) == 1);
	CHECK(json_reader_peek(&r) == JSON_KIND_ERROR && !json_reader_number(&r, &text));
	CHECK(!json_reader_skip(&r) && !json_reader_capture(&r, &text, NULL) && !json_reader_finish(&r));
	CHECK(!json_reader_enter_array(&r) && !json_reader_next_element(&r) && !json_reader_next_key(&r, &s));
	CHECK(r.error == JSON_ERR_TYPE && json_reader_offset(&r) == 1);
	r = reader_of("[1]");
	CHECK(!json_reader_enter_object(&r) && r.error == JSON_ERR_TYPE);
	r = reader_of("{}");
	CHECK(!json_reader_enter_array(&r) && r.error == JSON_ERR_TYPE);
	r = reader_of("null");
	CHECK(!json_reader_bool(&r, &flag) && r.error == JSON_ERR_TYPE);
	r = reader_of("true");
	CHECK(!json_reader_null(&r) && r.error == JSON_ERR_TYPE);
	r = reader_of("\"1\"");
	CHECK(!json_reader_number(&r, &text) && r.error == JSON_ERR_TYPE);
	r = reader_of("[?]");
	CHECK(json_reader_enter_array(&r) && !json_reader_next_element(&r) && r.error == JSON_ERR_SYNTAX);
	r = reader_of("NaN");
	CHECK(!json_reader_number(&r, &text) && r.error == JSON_ERR_NAN);
	r = reader_of("-Infinity");
	CHECK(json_reader_peek(&r) == JSON_KIND_NUMBER && !json_reader_number(&r, &text) && r.error == JSON_ERR_NAN);
	r = reader_of("1");
	CHECK(!json_reader_next_element(&r) && r.error == JSON_ERR_TYPE);

	/* What is left over, or left out. */
	r = reader_of("1 2");
	CHECK(json_reader_skip(&r) && !json_reader_finish(&r) && json_reader_offset(&r) == 2);
	r = reader_of("[1");
	CHECK(json_reader_enter_array(&r) && json_reader_next_element(&r) && json_reader_number(&r, &text));
	CHECK(!json_reader_finish(&r) && r.error == JSON_ERR_EOF);
	r = reader_of("  ");
	CHECK(!json_reader_finish(&r) && r.error == JSON_ERR_EOF);
	json_reader_init(&r, NULL, 0, 4);
	CHECK(!json_reader_skip(&r) && r.error == JSON_ERR_EOF && json_reader_offset(&r) == 0);
	json_reader_init(&r, "[]", ((size_t) 1 << 30) + 1, 4);
	CHECK(!json_reader_skip(&r) && r.error == JSON_ERR_SYNTAX);

	/* A document by all calls. */
	r = reader_of(" { \"a\" : [ true , null,false] , \"b\\u0000\":\"x\\ud800\" }\n");
	CHECK(json_reader_peek(&r) == JSON_KIND_OBJECT && json_reader_offset(&r) == 1);
	CHECK(json_reader_enter_object(&r) && r.depth == 1);
	CHECK(json_reader_next_key(&r, &s) && json_string_is(&s, "a") && s.seen == 0);
	CHECK(json_reader_enter_array(&r) && r.depth == 2);
	CHECK(json_reader_next_element(&r) && json_reader_peek(&r) == JSON_KIND_TRUE);
	CHECK(json_reader_bool(&r, &flag) && flag);
	CHECK(json_reader_next_element(&r) && json_reader_null(&r));
	CHECK(json_reader_next_element(&r) && json_reader_bool(&r, &flag) && !flag);
	CHECK(!json_reader_next_element(&r) && r.error == JSON_OK && r.depth == 1);
	CHECK(json_reader_next_key(&r, &s) && s.seen == (JSON_SEEN_ESCAPE | JSON_SEEN_NUL) && s.len == 7);
	CHECK(json_reader_string(&r, &s) && s.seen == (JSON_SEEN_ESCAPE | JSON_SEEN_SURROGATE));
	CHECK(!json_reader_next_key(&r, &s) && r.error == JSON_OK && r.depth == 0);
	CHECK(json_reader_finish(&r) && r.nul_escapes == 1 && r.lone_surrogates == 1 && r.seen == 7);
}

/* The call for scalars of any kind. */
static void
test_scalar(void)
{
	JsonReader	r;
	JsonString	s;

	r = reader_of("[ \"\", \"a\\u0000\",-1.5e3 ,true, false,null,{},[1]]");
	CHECK(json_reader_scalar(&r, &s) == JSON_KIND_ARRAY && json_reader_offset(&r) == 0);
	CHECK(json_reader_enter_array(&r) && json_reader_next_element(&r));
	CHECK(json_reader_scalar(&r, &s) == JSON_KIND_STRING && s.len == 0 && s.seen == 0);
	CHECK(json_reader_next_element(&r) && json_reader_scalar(&r, &s) == JSON_KIND_STRING);
	CHECK(s.len == 7 && memcmp(s.data, "a\\u0000", 7) == 0 && s.seen == (JSON_SEEN_ESCAPE | JSON_SEEN_NUL));
	CHECK(json_reader_next_element(&r) && json_reader_scalar(&r, &s) == JSON_KIND_NUMBER);
	CHECK(s.len == 6 && memcmp(s.data, "-1.5e3", 6) == 0 && s.seen == 0);
	CHECK(json_reader_next_element(&r) && json_reader_scalar(&r, &s) == JSON_KIND_TRUE && s.len == 4);
	CHECK(json_reader_next_element(&r) && json_reader_scalar(&r, &s) == JSON_KIND_FALSE && s.len == 5);
	CHECK(json_reader_next_element(&r) && json_reader_scalar(&r, &s) == JSON_KIND_NULL && s.len == 4);
	CHECK(json_reader_next_element(&r) && json_reader_scalar(&r, &s) == JSON_KIND_OBJECT);
	CHECK(json_reader_skip(&r) && json_reader_next_element(&r));
	CHECK(json_reader_scalar(&r, &s) == JSON_KIND_ARRAY && json_reader_skip(&r));
	CHECK(!json_reader_next_element(&r) && json_reader_finish(&r));
	CHECK(r.seen == (JSON_SEEN_ESCAPE | JSON_SEEN_NUL) && r.nul_escapes == 1);

	r = reader_of("\"a");
	CHECK(json_reader_scalar(&r, &s) == JSON_KIND_ERROR && r.error == JSON_ERR_EOF);
	CHECK(json_reader_scalar(&r, &s) == JSON_KIND_ERROR && json_reader_offset(&r) == 2);
	r = reader_of("nul");
	CHECK(json_reader_scalar(&r, &s) == JSON_KIND_ERROR && r.error == JSON_ERR_EOF);
	r = reader_of("-Infinity");
	CHECK(json_reader_scalar(&r, &s) == JSON_KIND_ERROR && r.error == JSON_ERR_NAN);
}

static void
test_capture(void)
{
	JsonReader	r = reader_of("[ {\"a\": [1, 2]} , \"\\n\" ,-1.5e3 , \"x\\u0000\", [\"\\ud800\"]]");
	static const struct
	{
		const char *text;
		uint32		seen;
	}			expected[] = {
		{"{\"a\": [1, 2]}", 0},
		{"\"\\n\"", JSON_SEEN_ESCAPE},
		{"-1.5e3", 0},
		{"\"x\\u0000\"", JSON_SEEN_ESCAPE | JSON_SEEN_NUL},
		{"[\"\\ud800\"]", JSON_SEEN_ESCAPE | JSON_SEEN_SURROGATE},
	};
	ApmStr		text;
	uint32		seen;
	int			i;

	CHECK(json_reader_enter_array(&r));
	for (i = 0; i < (int) lengthof(expected); i++)
	{
		CHECK(json_reader_next_element(&r) && json_reader_capture(&r, &text, &seen));
		CHECK(text.len == strlen(expected[i].text) && memcmp(text.data, expected[i].text, text.len) == 0);
		CHECK(seen == expected[i].seen);
	}
	CHECK(!json_reader_next_element(&r) && json_reader_finish(&r) && r.seen == 7);

	/* A failed capture reports what stands inside. */
	r = reader_of("{\"a\":[1,{\"b\":tru}]}");
	CHECK(json_reader_enter_object(&r));
	{
		JsonString	key;

		CHECK(json_reader_next_key(&r, &key));
	}
	CHECK(!json_reader_capture(&r, &text, NULL) && r.error == JSON_ERR_SYNTAX && json_reader_offset(&r) == 16);
}

static void
check_file(const char *path)
{
	FILE	   *f = fopen(path, "rb");
	struct stat st;
	char	   *data;
	size_t		len;
	size_t		line;

	if (f == NULL || fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode))
	{
		if (f != NULL)
			fclose(f);
		return;
	}
	data = palloc(st.st_size);
	len = fread(data, 1, st.st_size, f);
	fclose(f);
	check_document(data, len);
	for (line = 0; line < len;)
	{
		char	   *newline = memchr(data + line, '\n', len - line);
		size_t		n = (newline != NULL ? (size_t) (newline - data) : len) - line;

		check_document(data + line, n);
		if (n > 0 && json_outcome_of_skip(data + line, n, JSON_DEPTH_LIMIT, false).error == JSON_OK)
			check_truncation(data + line, n, n < 600 ? 1 : n / 97);
		line += n + 1;
	}
	pfree(data);
}

/* All files of a directory; none if there is no such directory. */
static int
check_directory(const char *path)
{
	DIR		   *dir = path != NULL ? opendir(path) : NULL;
	struct dirent *entry;
	int			n = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
	{
		char		name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		check_file(name);
		n++;
	}
	closedir(dir);
	return n;
}

int
main(int argc, char **argv)
{
	int			nfiles = 0;
	int			i;

	test_cases();
	test_truncation();
	test_mutations();
	test_surrogates();
	test_depth();
	test_protocol();
	test_scalar();
	test_capture();
	nfiles += check_directory("test/data/envelopes");
	nfiles += check_directory("../shared/data/envelopes");
	nfiles += check_directory("test/fuzz/seeds/json_reader");
	nfiles += check_directory(getenv("APM_DATA_DIR"));
	for (i = 1; i < argc; i++)
		nfiles += check_directory(argv[i]);
	printf("json_reader: %ld documents, %d files, %d failures\n", ndocuments, nfiles, failures);
	return failures > 0;
}
