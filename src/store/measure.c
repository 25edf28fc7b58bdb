/*
 * store/measure.c
 *		Measurements before they are stored.  Pure.
 */
#include "store/measure.h"

#include <math.h>
#include <stdio.h>

#include "json/reader.h"
#include "metrics/columns.h"
#include "metrics/vitals.h"
#include "types/hex.h"

/* Longest name that is looked up among the known ones. */
#define KNOWN_NAME_LEN 32

/* More than there are known names. */
#define MAX_KNOWN 64

static ApmStr
str_of(const char *s)
{
	ApmStr		result;

	result.data = s;
	result.len = (uint32) strlen(s);
	return result;
}

static bool
str_is(ApmStr s, const char *literal)
{
	return s.len == strlen(literal) && memcmp(s.data, literal, s.len) == 0;
}

static bool
str_starts(ApmStr s, const char *prefix)
{
	size_t		len = strlen(prefix);

	return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

static Measurement *
set_find(const MeasureSet *set, ApmStr name)
{
	int			i;

	for (i = 0; i < set->n; i++)
		if (set->list[i].name.len == name.len &&
			memcmp(set->list[i].name.data, name.data, name.len) == 0)
			return &set->list[i];
	return NULL;
}

static void
set_append(MeasureSet *set, const Measurement *m)
{
	if (set->n == set->max)
	{
		set->max = Max(16, set->max * 2);
		set->list = set->list == NULL ? palloc(sizeof(Measurement) * set->max) :
			repalloc(set->list, sizeof(Measurement) * set->max);
	}
	set->list[set->n++] = *m;
}

static void
set_put(MeasureSet *set, const Measurement *m)
{
	Measurement *known = set_find(set, m->name);

	if (known != NULL)
		*known = *m;
	else
		set_append(set, m);
}

/* The shortest number that reads back as itself. */
static ApmStr
number_text(double v)
{
	char	   *text = palloc(32);
	int			digits;

	for (digits = 15; digits <= 17; digits++)
	{
		snprintf(text, 32, "%.*g", digits, v);
		if (json_number_double(str_of(text)) == v)
			break;
	}
	return str_of(text);
}

static void
put_number(MeasureSet *set, const char *prefix, const char *name, double v)
{
	Measurement m;
	size_t		len = strlen(prefix) + strlen(name);
	char	   *text;

	if (!isfinite(v))
		return;
	text = palloc(len + 1);
	snprintf(text, len + 1, "%s%s", prefix, name);
	m.name = str_of(text);
	m.value = number_text(v);
	m.unit = str_of("\"ratio\"");
	m.number = v;
	set_put(set, &m);
}

/* {"value", "unit"} or the bare number; false if there is no number. */
static bool
read_one(JsonReader *r, Measurement *m)
{
	JsonString	key;

	m->value.data = NULL;
	m->unit.data = NULL;
	m->unit.len = 0;
	if (json_reader_peek(r) == JSON_KIND_NUMBER)
		json_reader_number(r, &m->value);
	else if (json_reader_peek(r) != JSON_KIND_OBJECT)
		json_reader_skip(r);
	else if (json_reader_enter_object(r))
		while (json_reader_next_key(r, &key))
		{
			if (json_string_is(&key, "value") && json_reader_peek(r) == JSON_KIND_NUMBER)
				json_reader_number(r, &m->value);
			else if (json_string_is(&key, "unit") && json_reader_peek(r) == JSON_KIND_STRING)
				json_reader_capture(r, &m->unit, NULL);
			else
				json_reader_skip(r);
		}
	if (r->error != JSON_OK || m->value.data == NULL)
		return false;
	m->number = json_number_double(m->value);
	return true;
}

static void
read_members(JsonReader *r, MeasureSet *set)
{
	JsonString	key;
	Measurement m;

	if (!json_reader_enter_object(r))
		return;
	while (json_reader_next_key(r, &key))
	{
		bool		found = read_one(r, &m);

		if (r->error != JSON_OK)
			return;
		m.name.data = key.data;
		m.name.len = key.len;
		if (found)
			set_append(set, &m);
	}
}

static int
name_cmp(const void *a, const void *b)
{
	const Measurement *x = *(const Measurement *const *) a;
	const Measurement *y = *(const Measurement *const *) b;
	uint32		len = Min(x->name.len, y->name.len);
	int			c = len > 0 ? memcmp(x->name.data, y->name.data, len) : 0;

	if (c != 0)
		return c;
	if (x->name.len != y->name.len)
		return x->name.len < y->name.len ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Leaves the last of each name; there may be many, so by sorting. */
static void
drop_repeated(MeasureSet *set)
{
	Measurement **order;
	Measurement *list;
	bool	   *repeated;
	int			kept = 0;
	int			i;

	if (set->n < 2)
		return;
	order = palloc(sizeof(Measurement *) * set->n);
	repeated = palloc0(sizeof(bool) * set->n);
	for (i = 0; i < set->n; i++)
		order[i] = &set->list[i];
	qsort(order, set->n, sizeof(Measurement *), name_cmp);
	for (i = 0; i + 1 < set->n; i++)
		if (order[i]->name.len == order[i + 1]->name.len &&
			(order[i]->name.len == 0 ||
			 memcmp(order[i]->name.data, order[i + 1]->name.data, order[i]->name.len) == 0))
			repeated[order[i] - set->list] = true;
	list = set->list;
	for (i = 0; i < set->n; i++)
		if (!repeated[i])
			list[kept++] = list[i];
	set->n = kept;
	pfree(order);
	pfree(repeated);
}

void
measure_read(MeasureSet *set, ApmStr json)
{
	JsonReader	r;

	if (json.data == NULL)
		return;
	json_reader_init(&r, json.data, json.len, JSON_DEPTH_LIMIT);
	if (json_reader_peek(&r) != JSON_KIND_OBJECT)
		return;
	read_members(&r, set);
	drop_repeated(set);
}

static bool
is_vital(ApmStr name)
{
	MetricText	text = {name.data, (int) name.len};

	return vital_find(text) >= 0;
}

/* Adds a vital, or lets its larger value win. */
static void
put_vital(MeasureSet *set, const Measurement *m)
{
	Measurement *known;

	if (!(m->number >= 0) || !isfinite(m->number))
		return;
	known = set_find(set, m->name);
	if (known == NULL)
		set_append(set, m);
	else if (m->number > known->number)
		*known = *m;
}

void
measure_merge_vitals(MeasureSet *set, ApmStr json)
{
	MeasureSet	sent = {NULL, 0, 0};
	int			i;

	measure_read(&sent, json);
	for (i = 0; i < sent.n; i++)
		if (is_vital(sent.list[i].name))
			put_vital(set, &sent.list[i]);
}

void
measure_merge_set(MeasureSet *set, const MeasureSet *vitals)
{
	int			i;

	for (i = 0; i < vitals->n; i++)
		put_vital(set, &vitals->list[i]);
}

/* The known measurement that a name is in some case, or NULL. */
static const MetricMeasurement *
known_measurement(ApmStr name)
{
	char		lower[KNOWN_NAME_LEN];
	MetricText	text = {lower, (int) name.len};
	uint32		i;

	if (name.len > KNOWN_NAME_LEN)
		return NULL;
	for (i = 0; i < name.len; i++)
		lower[i] = name.data[i] >= 'A' && name.data[i] <= 'Z' ?
			name.data[i] + ('a' - 'A') : name.data[i];
	return metric_find_measurement(text);
}

/*
 * Names such as ttfb.requestTime: known ones have no capitals.  One that is
 * spelled right, else the first, gets the name; others stay as they are.
 */
static void
known_names(MeasureSet *set)
{
	bool		taken[MAX_KNOWN] = {false};
	int			pass;
	int			i;

	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < set->n; i++)
		{
			ApmStr	   *name = &set->list[i].name;
			const MetricMeasurement *known = known_measurement(*name);
			int			k;

			if (known == NULL || known - metric_measurements >= MAX_KNOWN)
				continue;
			k = (int) (known - metric_measurements);
			if (pass == 0)
				taken[k] = taken[k] || str_is(*name, known->name);
			else if (!taken[k])
			{
				*name = str_of(known->name);
				taken[k] = true;
			}
		}
}

/* The value of a measurement, NaN if there is none. */
static double
value_of(const MeasureSet *set, const char *name)
{
	const Measurement *m = set_find(set, str_of(name));

	return m == NULL || !isfinite(m->number) ? NAN : m->number;
}

static void
derive_rates(MeasureSet *set, int64 duration_us)
{
	double		total = value_of(set, "frames_total");
	const Measurement *stalled;

	if (total > 0)
	{
		put_number(set, "frames_slow_rate", "", value_of(set, "frames_slow") / total);
		put_number(set, "frames_frozen_rate", "", value_of(set, "frames_frozen") / total);
	}
	/* Only now: putting the rates may have moved the list. */
	stalled = set_find(set, str_of("stall_total_time"));
	if (stalled != NULL && duration_us > 0 &&
		(stalled->unit.data == NULL || str_is(stalled->unit, "\"millisecond\"") ||
		 str_is(stalled->unit, "\"none\"") || str_is(stalled->unit, "\"\"")))
		put_number(set, "stall_percentage", "", stalled->number / (duration_us / 1000.0));
}

/*
 * The score as the profile of the browser has it.  The components of a page
 * load are all named, absent ones with weight 0; an interaction beside them
 * has a ratio of its own and no part in the total.
 */
static void
derive_score(MeasureSet *set, ApmStr browser)
{
	static const Vital components[] = {VITAL_FCP, VITAL_LCP, VITAL_CLS, VITAL_TTFB};
	MetricText	name = {browser.data == NULL ? "" : browser.data, (int) browser.len};
	double		values[VITAL_COUNT];
	PerformanceScore score;
	bool		interaction;
	size_t		i;

	for (i = 0; i < VITAL_COUNT; i++)
		values[i] = value_of(set, vital_names[i]);
	if (!vital_performance(values, name, &score))
		return;
	interaction = score.weight[VITAL_INP] > 0;
	for (i = 0; i < VITAL_COUNT; i++)
	{
		if (!(score.weight[i] > 0))
			continue;
		put_number(set, "score.ratio.", vital_names[i], score.ratio[i]);
		put_number(set, "score.", vital_names[i], score.weight[i] * score.ratio[i]);
	}
	if (interaction)
		put_number(set, "score.weight.", "inp", score.weight[VITAL_INP]);
	else
	{
		for (i = 0; i < lengthof(components); i++)
			put_number(set, "score.weight.", vital_names[components[i]], score.weight[components[i]]);
		if (!isnan(values[VITAL_INP]))
			put_number(set, "score.ratio.", "inp",
					   vital_score(VITAL_INP, values[VITAL_INP], vital_is_mobile(name)));
	}
	put_number(set, "score.", "total", score.total);
}

void
measure_derive(MeasureSet *set, int64 duration_us, ApmStr browser)
{
	known_names(set);
	derive_rates(set, duration_us);
	derive_score(set, browser);
}

ApmStr
measure_write(const MeasureSet *set)
{
	static const char value[] = "\":{\"value\":";
	static const char unit[] = ",\"unit\":";
	ApmStr		result = {NULL, 0};
	size_t		len = 2;
	char	   *out;
	char	   *p;
	int			i;

	if (set->n == 0)
		return result;
	for (i = 0; i < set->n; i++)
		len += set->list[i].name.len + set->list[i].value.len + set->list[i].unit.len +
			sizeof(value) + sizeof(unit) + 3;
	p = out = palloc(len);
	for (i = 0; i < set->n; i++)
	{
		const Measurement *m = &set->list[i];

		*p++ = i == 0 ? '{' : ',';
		*p++ = '"';
		memcpy(p, m->name.data, m->name.len);
		p += m->name.len;
		memcpy(p, value, sizeof(value) - 1);
		p += sizeof(value) - 1;
		memcpy(p, m->value.data, m->value.len);
		p += m->value.len;
		if (m->unit.data != NULL)
		{
			memcpy(p, unit, sizeof(unit) - 1);
			p += sizeof(unit) - 1;
			memcpy(p, m->unit.data, m->unit.len);
			p += m->unit.len;
		}
		*p++ = '}';
	}
	*p++ = '}';
	result.data = out;
	result.len = (uint32) (p - out);
	return result;
}

/* Browsers. */

static bool
str_has(ApmStr s, const char *part)
{
	uint32		len = (uint32) strlen(part);
	uint32		i;

	for (i = 0; i + len <= s.len; i++)
		if (memcmp(s.data + i, part, len) == 0)
			return true;
	return false;
}

/*
 * Only browsers that have a profile.  Each names those it descends from, so
 * the youngest come first.
 */
ApmStr
measure_user_agent_browser(ApmStr agent)
{
	static const struct
	{
		const char *mark;
		const char *desktop;
		const char *mobile;
	}			browsers[] = {
		{"HeadlessChrome/", NULL, NULL},
		{"Edg/", "Edge", "Edge Mobile"},
		{"EdgA/", "Edge Mobile", "Edge Mobile"},
		{"EdgiOS/", "Edge Mobile", "Edge Mobile"},
		{"OPR/", "Opera", "Opera Mobile"},
		{"FxiOS/", NULL, NULL},
		{"CriOS/", NULL, NULL},
		{"SamsungBrowser/", NULL, NULL},
		{"Firefox/", "Firefox", "Firefox Mobile"},
		{"Chrome/", "Chrome", "Chrome Mobile"},
		{"Safari/", "Safari", "Mobile Safari"}
	};
	ApmStr		none = {NULL, 0};
	size_t		i;

	for (i = 0; i < lengthof(browsers); i++)
		if (str_has(agent, browsers[i].mark))
		{
			const char *name = str_has(agent, "Mobile") || str_has(agent, "Android") ?
				browsers[i].mobile : browsers[i].desktop;

			return name == NULL ? none : str_of(name);
		}
	return none;
}

/* Spans of web vitals. */

bool
measure_is_vital_op(ApmStr op)
{
	return op.data != NULL &&
		(str_starts(op, "ui.webvital.") || str_starts(op, "ui.interaction."));
}

/* The vital that an attribute holds: browser.web_vital.lcp.value, or lcp. */
static ApmStr
attribute_vital(const JsonString *key)
{
	static const char prefix[] = "browser.web_vital.";
	static const char suffix[] = ".value";
	const uint32 around = sizeof(prefix) - 1 + sizeof(suffix) - 1;
	ApmStr		name;

	name.data = key->data;
	name.len = key->len;
	if (key->len > around && memcmp(key->data, prefix, sizeof(prefix) - 1) == 0 &&
		memcmp(key->data + key->len - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1) == 0)
	{
		name.data += sizeof(prefix) - 1;
		name.len -= around;
	}
	if (is_vital(name))
		return name;
	name.data = NULL;
	name.len = 0;
	return name;
}

static void
read_vital(JsonReader *r, ApmStr name, MeasureSet *set)
{
	Measurement m;

	if (!read_one(r, &m))
		return;
	m.name = name;
	if (m.unit.data == NULL)
		m.unit = str_of(str_is(name, "cls") ? "\"none\"" : "\"millisecond\"");
	put_vital(set, &m);
}

/* One attribute of a span that brings a vital. */
static void
read_attribute(JsonReader *r, const JsonString *key, SpanVitals *result)
{
	ApmStr		vital = attribute_vital(key);
	ApmStr		text;
	JsonString	s;

	if (vital.data != NULL)
		read_vital(r, vital, &result->vitals);
	else if (json_string_is(key, "measurements") && json_reader_peek(r) == JSON_KIND_OBJECT)
	{
		if (json_reader_capture(r, &text, NULL))
			measure_merge_vitals(&result->vitals, text);
	}
	else if (json_reader_peek(r) != JSON_KIND_STRING)
		json_reader_skip(r);
	else if (json_reader_string(r, &s))
	{
		if (json_string_is(key, "sentry.pageload.span_id"))
		{
			if (!hex_read_span_id(s.data, s.len, &result->page_span_id))
				result->page_span_id = 0;
		}
		else if (json_string_is(key, "browser.name"))
			result->browser = json_string_text(&s);
		else if (json_string_is(key, "user_agent.original") && result->browser.data == NULL)
			result->browser = measure_user_agent_browser(json_string_text(&s));
	}
}

bool
measure_span_vitals(ApmStr attributes, SpanVitals *result)
{
	JsonReader	r;
	JsonString	key;

	memset(result, 0, sizeof(*result));
	if (attributes.data == NULL)
		return false;
	json_reader_init(&r, attributes.data, attributes.len, JSON_DEPTH_LIMIT);
	if (!json_reader_enter_object(&r))
		return false;
	while (json_reader_next_key(&r, &key))
		read_attribute(&r, &key, result);
	return r.error == JSON_OK && result->vitals.n > 0;
}

/* A string member of an object that begins here; data == NULL if there is none. */
static ApmStr
string_member(JsonReader *r, const char *name)
{
	ApmStr		result = {NULL, 0};
	JsonString	key;
	JsonString	s;

	if (!json_reader_enter_object(r))
		return result;
	while (json_reader_next_key(r, &key))
	{
		if (json_string_is(&key, name) && json_reader_peek(r) == JSON_KIND_STRING)
		{
			if (json_reader_string(r, &s))
				result = json_string_text(&s);
		}
		else
			json_reader_skip(r);
	}
	return result;
}

ApmStr
measure_attribute_browser(ApmStr attributes)
{
	ApmStr		result = {NULL, 0};
	JsonReader	r;

	if (attributes.data == NULL)
		return result;
	json_reader_init(&r, attributes.data, attributes.len, JSON_DEPTH_LIMIT);
	result = string_member(&r, "browser.name");
	if (result.data != NULL)
		return result;
	json_reader_init(&r, attributes.data, attributes.len, JSON_DEPTH_LIMIT);
	return measure_user_agent_browser(string_member(&r, "user_agent.original"));
}

/* The header User-Agent of a request that begins here. */
static ApmStr
request_browser(JsonReader *r)
{
	ApmStr		agent = {NULL, 0};
	JsonString	key;

	if (!json_reader_enter_object(r))
		return agent;
	while (json_reader_next_key(r, &key))
	{
		if (json_string_is(&key, "headers") && json_reader_peek(r) == JSON_KIND_OBJECT)
			agent = string_member(r, "User-Agent");
		else
			json_reader_skip(r);
	}
	return measure_user_agent_browser(agent);
}

ApmStr
measure_context_browser(ApmStr contexts)
{
	ApmStr		result = {NULL, 0};
	ApmStr		requested = {NULL, 0};
	JsonReader	r;
	JsonString	key;

	if (contexts.data == NULL)
		return result;
	json_reader_init(&r, contexts.data, contexts.len, JSON_DEPTH_LIMIT);
	if (!json_reader_enter_object(&r))
		return result;
	while (json_reader_next_key(&r, &key))
	{
		if (json_string_is(&key, "browser") && json_reader_peek(&r) == JSON_KIND_OBJECT)
			result = string_member(&r, "name");
		else if (json_string_is(&key, "request") && json_reader_peek(&r) == JSON_KIND_OBJECT)
			requested = request_browser(&r);
		else
			json_reader_skip(&r);
	}
	return result.data != NULL ? result : requested;
}
