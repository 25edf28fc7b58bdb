/*
 * measure_fuzz.c
 *		Any bytes as measurements, attributes and tags: what is written is JSON,
 *		reads back as itself, and does not depend on the order of arrival.
 */
#include "context.h"
#include "json/reader.h"
#include "store/cut.h"
#include "store/infer.h"
#include "store/measure.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_json(ApmStr s)
{
	JsonReader	r;

	json_reader_init(&r, s.data, s.len, JSON_DEPTH_LIMIT);
	return json_reader_skip(&r) && json_reader_finish(&r);
}

static bool
same(ApmStr a, ApmStr b)
{
	return (a.data == NULL) == (b.data == NULL) && a.len == b.len &&
		(a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* In a block of its own size, that reading beyond its end is seen. */
static ApmStr
block(const uint8_t *data, size_t size)
{
	ApmStr		s;

	s.len = (uint32) size;
	s.data = memcpy(palloc(size), data, size);
	return s;
}

/* Values of all vitals in a set, in their order by name. */
static double
vital_sum(const MeasureSet *set)
{
	double		sum = 0;
	int			i;

	for (i = 0; i < set->n; i++)
		sum += set->list[i].number;
	return sum;
}

static void
check_measurements(ApmStr a, ApmStr b, ApmStr browser)
{
	MeasureSet	set = {NULL, 0, 0};
	MeasureSet	again = {NULL, 0, 0};
	MeasureSet	ab = {NULL, 0, 0};
	MeasureSet	ba = {NULL, 0, 0};
	ApmStr		text;

	measure_merge_vitals(&ab, a);
	measure_merge_vitals(&ab, b);
	measure_merge_set(&ba, &ab);
	assert(ba.n == ab.n && ab.n <= 7);
	ba.n = 0;
	measure_merge_vitals(&ba, b);
	measure_merge_vitals(&ba, a);
	assert(ab.n == ba.n && (vital_sum(&ab) - vital_sum(&ba) <= 1e-9 * vital_sum(&ab)));
	if (!is_json(a))
		return;
	measure_read(&set, a);
	measure_merge_vitals(&set, b);
	measure_derive(&set, 1000, browser);
	text = measure_write(&set);
	assert(text.data == NULL ? set.n == 0 : is_json(text));
	measure_read(&again, text);
	assert(same(measure_write(&again), text));
	measure_derive(&again, 1000, browser);
	assert(again.n == set.n);
}

static void
check_cuts(ApmStr json, int limit)
{
	int64		cut = 0;
	int64		dropped = 0;
	bool		valid = is_json(json);
	ApmStr		s = json;

	cut_tags(&s, limit, &cut, &dropped);
	assert(!valid || is_json(s));
	s = json;
	cut_members(&s, limit);
	assert(!valid || is_json(s));
	s = json;
	if (cut_text(&s, limit))
		assert(!cut_text(&s, limit));
}

static void
run(const uint8_t *data, size_t size)
{
	SpanVitals	vitals;
	ApmStr		a;
	ApmStr		b;
	ApmStr		browser;
	size_t		half;
	int8		status;

	if (size < 2)
		return;
	half = 1 + (size - 1) * data[0] / 256;
	a = block(data + 1, half - 1);
	b = block(data + half, size - half);
	measure_span_vitals(a, &vitals);
	infer_op(a, data[0] & 1);
	status = infer_span_status(a);
	assert(status >= APM_STATUS_NULL && status < APM_STATUS_COUNT);
	browser = measure_context_browser(a);
	if (browser.data == NULL)
		browser = measure_attribute_browser(b);
	check_measurements(a, b, browser);
	check_cuts(a, data[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	context_begin();
	run(data, size);
	context_end();
	return 0;
}
