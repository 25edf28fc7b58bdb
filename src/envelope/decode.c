/*
 * envelope/decode.c
 *		From the body of an envelope to segments, errors and problems.  Pure.
 */
#include "envelope/envelope.h"

#include <math.h>

#include "envelope/decode.h"
#include "envelope/dsn.h"

#define SPAN_V2_CONTENT_TYPE	"application/vnd.sentry.items.span.v2+json"

/* Item types that exist but are not stored. */
static const char *const known_types[] = {
	"session", "sessions", "client_report", "check_in", "attachment", "log",
	"trace_metric", "profile", "profile_chunk", "profile_chunk_ui",
	"user_report", "feedback", "replay_event", "replay_recording",
	"replay_video", "otel_span", "otel_traces_data", "statsd",
	"metric_buckets", "metric_meta", "security", "raw_security", "nel",
	"unreal_report", "form_data", "integration"
};

/* Reports something about the current item. */
void
decode_problem(Decoder *d, ApmOutcome outcome, const char *reason, const char *detail,
			   int64 offset, int64 quantity)
{
	ApmProblem	problem;

	problem.outcome = outcome;
	problem.ordinal = d->item.ordinal;
	problem.type = d->item_type;
	problem.reason = reason;
	problem.detail = detail;
	problem.offset = offset;
	problem.quantity = quantity;
	d->sink->problem(d->sink->arg, &problem);
}

/* Refuses the current item; returns false so that callers can return the call. */
bool
decode_reject(Decoder *d, const char *reason, const char *detail, int64 offset)
{
	decode_problem(d, APM_OUTCOME_REJECTED, reason, detail, offset, 1);
	return false;
}

/* Refuses the current item for an error of its reader. */
bool
decode_reject_json(Decoder *d, const JsonReader *r)
{
	const char *detail = json_error_text(r->error);

	if (r->error == JSON_ERR_TYPE)
		return decode_reject(d, "not_object", "payload is not a JSON object",
							 decode_offset(d, r->start));
	return decode_reject(d, envelope_json_reason(r->error), detail,
						 decode_offset(d, r->start) + (int64) json_reader_offset(r));
}

static void
report_repairs(Decoder *d, int64 nul_escapes, int64 lone_surrogates)
{
	if (nul_escapes > 0)
		decode_problem(d, APM_OUTCOME_REPAIRED, "repaired_nul",
					   "U+0000 was replaced by U+FFFD", -1, nul_escapes);
	if (lone_surrogates > 0)
		decode_problem(d, APM_OUTCOME_REPAIRED, "repaired_surrogate",
					   "lone surrogate was replaced by U+FFFD", -1, lone_surrogates);
}

/* Counts what an accepted payload holds that text and jsonb cannot. */
void
decode_repairs(Decoder *d, const JsonReader *r)
{
	report_repairs(d, r->nul_escapes, r->lone_surrogates);
}

/* Byte offset in the body. */
int64
decode_offset(const Decoder *d, const char *pos)
{
	return (int64) (pos - d->frame.body);
}

/* The first event id found stands for the envelope, if its header has none. */
void
decode_note_event_id(Decoder *d, const uint8 event_id[16])
{
	if (d->has_event_id)
		return;
	d->has_event_id = true;
	memcpy(d->event_id, event_id, 16);
}

/* A container says so by its content type; parameters of it are ignored. */
static bool
is_container(const EnvelopeItem *item)
{
	static const char wanted[] = SPAN_V2_CONTENT_TYPE;
	ApmStr		text;
	uint32		i;

	if (item->content_type.data == NULL)
		return false;
	text = json_string_text(&item->content_type);
	if (text.len < sizeof(wanted) - 1)
		return false;
	for (i = 0; i < sizeof(wanted) - 1; i++)
	{
		char		c = text.data[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (c != wanted[i])
			return false;
	}
	return i == text.len || text.data[i] == ';' || text.data[i] == ' ';
}

/* Items of other types are passed by, and that is said; the sink may keep them raw. */
static void
skip_item(Decoder *d)
{
	size_t		i;

	if (d->sink->item != NULL)
	{
		ApmItem		item;

		item.ordinal = d->item.ordinal;
		item.type = d->item_type;
		item.header = d->item.header;
		item.payload = str_slice(d->item.payload, d->item.payload + d->item.length);
		d->sink->item(d->sink->arg, &item);
	}
	for (i = 0; i < lengthof(known_types); i++)
		if (json_string_is(&d->item.type, known_types[i]))
		{
			decode_problem(d, APM_OUTCOME_SKIPPED, "not_stored",
						   "items of this type are not stored", -1, 1);
			return;
		}
	decode_problem(d, APM_OUTCOME_SKIPPED, "unknown_type",
				   "item type is unknown", -1, 1);
}

static void
decode_item(Decoder *d)
{
	d->item_type = json_string_text(&d->item.type);
	if (KEY_IS(&d->item.type, "transaction"))
		event_decode(d, true);
	else if (KEY_IS(&d->item.type, "event"))
		event_decode(d, false);
	else if (KEY_IS(&d->item.type, "span"))
	{
		if (is_container(&d->item))
			container_decode(d);
		else
			span_v1_decode(d);
	}
	else
		skip_item(d);
}

/* What the header says of the envelope itself. */
static void
hand_out_header(Decoder *d, ApmStr public_key)
{
	const EnvelopeFrame *frame = &d->frame;
	ApmEnvelope envelope;
	DecodeTime	sent;
	ApmStr		text;

	memset(&envelope, 0, sizeof(envelope));
	envelope.has_event_id = frame->has_event_id;
	memcpy(envelope.event_id, frame->event_id, 16);
	envelope.sent_us = APM_MICROS_NULL;
	if (frame->sent_at.data != NULL)
	{
		text = json_string_text(&frame->sent_at);
		if (decode_rfc3339(text.data, text.len, &sent) && sent.us >= 0)
			envelope.sent_us = sent.us;
	}
	envelope.project_id = d->project_id;
	envelope.public_key = public_key;
	d->sink->header(d->sink->arg, &envelope);
}

/*
 * What the header says about all items.  It has been checked as JSON, so
 * nothing here can fail but by saying nothing.
 */
static void
read_header(Decoder *d)
{
	const EnvelopeFrame *frame = &d->frame;
	JsonReader	r;
	JsonString	key;
	EnvelopeDsn dsn;
	bool		ok = true;

	d->dsc_sample_rate = NAN;
	if (frame->has_event_id)
		decode_note_event_id(d, frame->event_id);
	memset(&dsn, 0, sizeof(dsn));
	if (frame->dsn.data != NULL && envelope_parse_dsn(json_string_text(&frame->dsn), &dsn))
		d->project_id = dsn.project_id;
	if (d->sink->header != NULL)
		hand_out_header(d, d->project_id != 0 ? dsn.public_key : str_null());
	if (frame->sdk.data != NULL)
	{
		json_reader_init(&r, frame->sdk.data, frame->sdk.len, frame->max_depth);
		value_sdk(&r, &d->header_sdk);
	}
	if (frame->trace.data != NULL)
	{
		json_reader_init(&r, frame->trace.data, frame->trace.len, frame->max_depth);
		ok = json_reader_enter_object(&r);
		while (ok && json_reader_next_key(&r, &key))
			ok = KEY_IS(&key, "sample_rate") ? value_rate(&r, &d->dsc_sample_rate) :
				json_reader_skip(&r);
	}
}

bool
envelope_decode(const char *body, size_t len, const ApmDecodeOptions *options,
				const ApmSink *sink, uint8_t event_id[16])
{
	Decoder		d;

	memset(&d, 0, sizeof(d));
	d.options = options;
	d.sink = sink;
	if (!envelope_frame(&d.frame, body, len, options->strict, options->max_depth))
	{
		decode_reject(&d, d.frame.reason, d.frame.detail, (int64) d.frame.error_offset);
		return false;
	}
	read_header(&d);
	report_repairs(&d, d.frame.nul_escapes, d.frame.lone_surrogates);
	if (d.frame.first_item >= len)
		decode_problem(&d, APM_OUTCOME_SKIPPED, "empty_envelope",
					   "envelope has no items", -1, 1);
	while (envelope_next_item(&d.frame, &d.item))
		decode_item(&d);
	if (d.has_event_id)
		memcpy(event_id, d.event_id, 16);
	return d.has_event_id;
}

const ApmFormat envelope_format_sentry = {
	APM_PLUGIN_MAGIC,
	APM_PLUGIN_ABI,
	sizeof(ApmFormat),
	"sentry",
	envelope_decode
};
