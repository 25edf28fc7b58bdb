/*
 * envelope/decode_report.c
 *		Client reports: what an SDK, or a Relay in front of it, threw away.
 *		Pure.
 */
#include "envelope/decode.h"

typedef struct Report
{
	ApmDiscard *list;
	int32		n;
	int32		cap;
	int32		refused;
} Report;

/* One {"reason", "category", "quantity"}; a quantity of -1 if it has none. */
static bool
read_discard(JsonReader *r, ApmDiscard *discard)
{
	JsonString	key;
	bool		ok;

	discard->reason = str_null();
	discard->category = str_null();
	discard->quantity = -1;
	if (json_reader_peek(r) != JSON_KIND_OBJECT)
		return json_reader_skip(r);
	ok = json_reader_enter_object(r);
	while (ok && json_reader_next_key(r, &key))
	{
		if (KEY_IS(&key, "reason"))
			ok = value_string(r, &discard->reason);
		else if (KEY_IS(&key, "category"))
			ok = value_string(r, &discard->category);
		else if (KEY_IS(&key, "quantity"))
			ok = value_count(r, &discard->quantity);
		else
			ok = json_reader_skip(r);
	}
	return r->error == JSON_OK;
}

/*
 * A list of discards.  word stands for their reasons where those are ids of a
 * Relay's rules, which would make no end of reasons; else it is NULL.
 */
static bool
read_list(JsonReader *r, Report *report, const char *word)
{
	ApmDiscard	discard;

	if (json_reader_peek(r) != JSON_KIND_ARRAY)
		return json_reader_skip(r);
	if (!json_reader_enter_array(r))
		return false;
	while (json_reader_next_element(r))
	{
		if (!read_discard(r, &discard))
			return false;
		if (discard.category.len == 0 || discard.reason.data == NULL ||
			discard.quantity < 0 || discard.quantity > (int64) UINT32_MAX)
		{
			report->refused++;
			continue;
		}
		if (discard.quantity == 0)
			continue;
		if (word != NULL)
			discard.reason = str_literal(word);
		if (report->n == report->cap)
		{
			report->cap = report->cap == 0 ? 16 : report->cap * 2;
			report->list = report->list == NULL ? palloc(report->cap * sizeof(ApmDiscard)) :
				repalloc(report->list, report->cap * sizeof(ApmDiscard));
		}
		report->list[report->n++] = discard;
	}
	return r->error == JSON_OK;
}

bool
report_decode(Decoder *d)
{
	JsonReader	r;
	JsonString	key;
	Report		report;
	DecodeTime	reported;
	int64		offset = decode_offset(d, d->item.payload);
	bool		ok;
	int32		i;

	memset(&report, 0, sizeof(report));
	reported.us = APM_MICROS_NULL;
	json_reader_init(&r, d->item.payload, d->item.length, d->options->max_depth);
	r.strict_surrogates = d->options->strict;
	ok = json_reader_enter_object(&r);
	while (ok && json_reader_next_key(&r, &key))
	{
		if (KEY_IS(&key, "discarded_events"))
			ok = read_list(&r, &report, NULL);
		else if (KEY_IS(&key, "rate_limited_events"))
			ok = read_list(&r, &report, "rate_limited");
		else if (KEY_IS(&key, "filtered_events"))
			ok = read_list(&r, &report, "filtered");
		else if (KEY_IS(&key, "filtered_sampling_events"))
			ok = read_list(&r, &report, "filtered_sampling");
		else if (KEY_IS(&key, "timestamp"))
			ok = value_time(&r, &reported);
		else
			ok = json_reader_skip(&r);
	}
	if (!ok || !json_reader_finish(&r))
		return decode_reject_json(d, &r);
	if (report.refused > 0 && (d->options->strict || report.n == 0))
		return decode_reject(d, "discard",
							 "entry of the report lacks a category, reason or quantity", offset);
	for (i = 0; i < report.n; i++)
	{
		report.list[i].reported_us = reported.us;
		d->sink->discard(d->sink->arg, d->item.ordinal, &report.list[i]);
	}
	if (report.n == 0)
		decode_problem(d, APM_OUTCOME_SKIPPED, "empty", "report tells of nothing", -1, 1);
	if (report.refused > 0)
		decode_problem(d, APM_OUTCOME_DROPPED, "discard",
					   "entry of the report lacks a category, reason or quantity", offset,
					   report.refused);
	decode_repairs(d, &r);
	return true;
}
