/*
 * envelope/decode.c
 *		From the body of an envelope to segments, errors and problems.  Pure.
 */
#include "envelope/envelope.h"

#include <math.h>

#include "envelope/decode.h"
#include "envelope/dsn.h"

#define SPAN_V2_CONTENT_TYPE	"application/vnd.sentry.items.span.v2+json"

/* Item types that exist; those that no sink takes are not stored. */
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

const char *
envelope_skip_reason(ApmStr type, const char **detail)
{
	size_t		i;

	for (i = 0; i < lengthof(known_types); i++)
		if (type.len == strlen(known_types[i]) &&
			memcmp(type.data, known_types[i], type.len) == 0)
		{
			*detail = "items of this type are not stored";
			return "not_stored";
		}
	*detail = "item type is unknown";
	return "unknown_type";
}

/* Items of other types go to who takes any, else they are passed by, and that is said. */
static bool
pass_item(Decoder *d)
{
	const char *reason;
	const char *detail;
	ApmItem		item;

	if (d->sink->item == NULL)
	{
		reason = envelope_skip_reason(d->item_type, &detail);
		decode_problem(d, APM_OUTCOME_SKIPPED, reason, detail, -1, 1);
		return true;
	}
	item.ordinal = d->item.ordinal;
	item.type = d->item_type;
	item.header = d->item.header;
	item.payload = str_slice(d->item.payload, d->item.payload + d->item.length);
	d->sink->item(d->sink->arg, &item);
	return true;
}

static bool
decode_item(Decoder *d)
{
	const JsonString *type = &d->item.type;
	bool		container = is_container(&d->item);

	d->item_type = json_string_text(type);
	if (!decode_within_limits(d, container))
		return false;
	if (KEY_IS(type, "transaction"))
		return event_decode(d, true);
	if (KEY_IS(type, "event"))
		return event_decode(d, false);
	if (KEY_IS(type, "span"))
		return container ? container_decode(d) : span_v1_decode(d);
	if (KEY_IS(type, "session") && d->sink->session != NULL)
		return session_decode(d);
	if (KEY_IS(type, "sessions") && d->sink->session != NULL)
		return sessions_decode(d);
	if (KEY_IS(type, "check_in") && d->sink->check_in != NULL)
		return check_in_decode(d);
	if (KEY_IS(type, "client_report") && d->sink->discard != NULL)
		return report_decode(d);
	return pass_item(d);
}

/*
 * What the header says about all items.  It has been checked as JSON, so
 * nothing here can fail but by saying nothing.
 */
static void
read_header(Decoder *d, EnvelopeDsn *dsn)
{
	const EnvelopeFrame *frame = &d->frame;
	JsonReader	r;
	JsonString	key;
	DecodeTime	sent;
	ApmStr		text;
	bool		ok = true;

	if (frame->has_event_id)
		decode_note_event_id(d, frame->event_id);
	if (frame->dsn.data != NULL && envelope_parse_dsn(json_string_text(&frame->dsn), dsn))
		d->project_id = dsn->project_id;
	if (frame->sent_at.data != NULL)
	{
		text = json_string_text(&frame->sent_at);
		if (decode_rfc3339(text.data, text.len, &sent) && sent.us >= 0)
			d->sent_us = sent.us;
	}
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

/* Tells who asks what the header says. */
static void
emit_header(Decoder *d, const EnvelopeDsn *dsn)
{
	ApmEnvelope envelope;

	if (d->sink->header == NULL)
		return;
	memset(&envelope, 0, sizeof(envelope));
	envelope.has_event_id = d->frame.has_event_id;
	memcpy(envelope.event_id, d->frame.event_id, 16);
	envelope.sent_us = d->sent_us;
	envelope.project_id = d->project_id;
	if (d->project_id != 0)		/* else it is no DSN */
		envelope.public_key = dsn->public_key;
	d->sink->header(d->sink->arg, &envelope);
}

static void
decoder_init(Decoder *d, const ApmDecodeOptions *options, const ApmSink *sink)
{
	memset(d, 0, sizeof(*d));
	d->options = options;
	d->sink = sink;
	d->sent_us = APM_MICROS_NULL;
	d->dsc_sample_rate = NAN;
}

bool
envelope_decode(const char *body, size_t len, const ApmDecodeOptions *options,
				const ApmSink *sink, uint8_t event_id[16])
{
	Decoder		d;
	EnvelopeDsn dsn;

	decoder_init(&d, options, sink);
	memset(&dsn, 0, sizeof(dsn));
	if (!decode_body_size(options, len))
		return decode_reject(&d, "too_large", "body is larger than pg_apm.max_envelope_size", -1);
	if (!envelope_frame(&d.frame, body, len, options->strict, options->max_depth))
		return decode_reject(&d, d.frame.reason, d.frame.detail, (int64) d.frame.error_offset);
	read_header(&d, &dsn);
	emit_header(&d, &dsn);
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

/* The body is the payload: it is decoded as the only item of an envelope without header. */
static bool
store_decode(const char *body, size_t len, const ApmDecodeOptions *options,
			 const ApmSink *sink, uint8_t event_id[16])
{
	static const char type[] = "event";
	Decoder		d;
	EnvelopeDsn dsn;

	decoder_init(&d, options, sink);
	memset(&dsn, 0, sizeof(dsn));
	d.frame.body = body;
	d.frame.len = len;
	if (len == 0)
		return decode_reject(&d, "empty_body", "body is empty", 0);
	if (envelope_looks_compressed((const unsigned char *) body, len))
		return decode_reject(&d, "compressed",
							 "body is compressed; a front end must decompress it first", 0);
	emit_header(&d, &dsn);
	d.item.ordinal = 1;
	d.item.type.data = type;
	d.item.type.len = sizeof(type) - 1;
	d.item.payload = body;
	d.item.length = len;
	d.item_type = str_literal(type);
	if (decode_within_limits(&d, false))
		event_decode(&d, false);
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

const ApmFormat envelope_format_sentry_store = {
	APM_PLUGIN_MAGIC,
	APM_PLUGIN_ABI,
	sizeof(ApmFormat),
	"sentry_store",
	store_decode
};
