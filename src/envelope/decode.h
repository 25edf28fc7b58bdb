/*
 * envelope/decode.h
 *		What the decoders of item payloads share.
 *
 * Each decoder reads a payload in one pass, takes what it knows from wherever
 * it stands in the document, and emits at the end, so that the order of keys
 * never matters and a syntax error late in the payload is seen before
 * anything was handed out.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_ENVELOPE_DECODE_H
#define PG_APM_ENVELOPE_DECODE_H

#include "shim.h"
#include "envelope/framing.h"
#include "json/reader.h"
#include "plugin/pg_apm_plugin.h"

#define UNLABELED_TRANSACTION	"<unlabeled transaction>"

/* Growing text in the current memory context. */
typedef struct DecodeBuf
{
	char	   *data;
	size_t		len;
	size_t		cap;
} DecodeBuf;

/*
 * A point in time: whole microseconds since 1970, or APM_MICROS_NULL, and what
 * rounding to them left out in nanoseconds.  SDKs send more digits than a
 * timestamptz holds; a duration is taken from all of them and rounded once.
 */
typedef struct DecodeTime
{
	int64		us;
	int32		ns;
	ApmStr		number;			/* as sent, if it was a number */
} DecodeTime;

/* What stands where a UUID may stand. */
typedef enum UuidKind
{
	UUID_ABSENT,
	UUID_MALFORMED,
	UUID_NIL,
	UUID_GIVEN
} UuidKind;

/* Why a span is refused. */
typedef enum SpanFault
{
	SPAN_OK,
	SPAN_NOT_OBJECT,
	SPAN_TIMESTAMP,
	SPAN_NEGATIVE_DURATION,
	SPAN_TRACE_ID,
	SPAN_SPAN_ID,
	SPAN_NAME,
	SPAN_STATUS,
	SPAN_TOO_MANY,
	SPAN_TOO_LARGE,
	SPAN_FAULTS
} SpanFault;

/* Spans left out of an item, by fault. */
typedef struct SpanDrops
{
	int64		count[SPAN_FAULTS];
	int64		offset[SPAN_FAULTS];	/* of the first in the body */
	SpanFault	first;			/* the first fault met, or SPAN_OK */
} SpanDrops;

/* State of one envelope being decoded. */
typedef struct Decoder
{
	const ApmDecodeOptions *options;
	const ApmSink *sink;
	EnvelopeFrame frame;
	EnvelopeItem item;			/* the current one */
	ApmStr		item_type;
	int32		project_id;		/* of the header's DSN, 0: none */
	ApmStr		header_sdk;		/* "name@version" of the header */
	double		dsc_sample_rate;	/* of the header's sampling context, or NaN */
	int64		sent_us;		/* the header's sent_at, or APM_MICROS_NULL */
	int32		nspans;			/* standalone spans so far */
	int32		nsessions;		/* session items so far */
	bool		has_event_id;	/* the header's, else the first payload's */
	uint8		event_id[16];
} Decoder;

/* decode.c: problems of the current item */
extern bool decode_reject(Decoder *d, const char *reason, const char *detail, int64 offset);
extern bool decode_reject_json(Decoder *d, const JsonReader *r);
extern void decode_problem(Decoder *d, ApmOutcome outcome, const char *reason,
						   const char *detail, int64 offset, int64 quantity);
extern void decode_repairs(Decoder *d, const JsonReader *r);
extern int64 decode_offset(const Decoder *d, const char *pos);
extern void decode_note_event_id(Decoder *d, const uint8 event_id[16]);

/* decode_limits.c: refuses the current item if it is beyond a limit */
extern bool decode_within_limits(Decoder *d, bool container);
extern bool decode_body_size(const ApmDecodeOptions *options, size_t len);

/* decode_value.c: single values; each consumes one value */
extern bool value_text(JsonReader *r, ApmStr *text);
extern bool value_string(JsonReader *r, ApmStr *text);
extern bool value_object(JsonReader *r, ApmStr *text);
extern bool value_trace_id(JsonReader *r, uint8 id[16], bool *valid);
extern bool value_span_id(JsonReader *r, uint64 *id);
extern bool value_time(JsonReader *r, DecodeTime *time);
extern bool value_time_signed(JsonReader *r, DecodeTime *time);
extern bool value_status(JsonReader *r, int8 *status);
extern bool value_double(JsonReader *r, double *value);
extern bool value_millis(JsonReader *r, int64 *micros);
extern bool value_bool(JsonReader *r, int8 *value);
extern bool value_http_status(JsonReader *r, int32 *status);
extern bool value_rate(JsonReader *r, double *rate);
extern bool value_seconds(JsonReader *r, int64 *micros);
extern bool value_count(JsonReader *r, int64 *count);
extern bool value_uuid(JsonReader *r, uint8 id[16], UuidKind *kind);
extern bool value_event_id(JsonReader *r, uint8 event_id[16], bool *valid);
extern bool decode_rfc3339(const char *s, size_t len, DecodeTime *time);
extern int64 decode_duration(DecodeTime start, DecodeTime end);
extern double decode_weight(double sample_rate);

/* decode_json.c: small JSON texts */
extern void buf_append(DecodeBuf *buf, const char *s, size_t len);
extern void buf_append_char(DecodeBuf *buf, char c);
extern ApmStr buf_str(const DecodeBuf *buf);
extern void buf_append_inner(DecodeBuf *buf, ApmStr object);
extern void buf_append_member(DecodeBuf *buf, const char *key, ApmStr value);
extern bool json_is_empty(ApmStr container);
extern bool value_tags(JsonReader *r, ApmStr *tags, int32 *http_status, int64 *dropped);
extern bool value_measurements(JsonReader *r, ApmStr *measurements, int64 *dropped);
extern bool value_fingerprint(JsonReader *r, ApmStr *fingerprint);

/* "prefix" + text in new memory; NULL if text is NULL or empty. */
extern ApmStr decode_prefixed(const char *prefix, ApmStr text);

/* "name@version", or the one of both that is there. */
extern ApmStr decode_sdk(ApmStr name, ApmStr version);

/* A user, by whichever of its fields are there. */
typedef struct UserFields
{
	ApmStr		id;
	ApmStr		username;
	ApmStr		email;
	ApmStr		ip;
} UserFields;

extern ApmStr decode_user_key(const UserFields *user);

static inline ApmStr
str_slice(const char *start, const char *end)
{
	ApmStr		s;

	s.data = start;
	s.len = (uint32) (end - start);
	return s;
}

static inline ApmStr
str_null(void)
{
	ApmStr		s = {NULL, 0};

	return s;
}

static inline ApmStr
str_literal(const char *literal)
{
	ApmStr		s;

	s.data = literal;
	s.len = (uint32) strlen(literal);
	return s;
}

/* An empty text says nothing: NULL. */
static inline ApmStr
str_nonempty(ApmStr s)
{
	return s.len == 0 ? str_null() : s;
}

/* decode_span.c: span v1 */
typedef struct SpanV1
{
	ApmSpan		span;
	DecodeTime	start;
	DecodeTime	end;
	bool		sent_is_segment;	/* is_segment: true */
	ApmStr		data;			/* as sent, an object or NULL */
	ApmStr		tags;
	ApmStr		links;
	ApmStr		measurements;	/* as sent */
} SpanV1;

extern bool span_v1_read(JsonReader *r, SpanV1 *out, SpanFault *fault);
extern bool span_v1_decode(Decoder *d);
extern const char *span_fault_reason(SpanFault fault, bool child);
extern const char *span_fault_detail(SpanFault fault);
extern void span_drop(SpanDrops *drops, SpanFault fault, int64 offset);
extern void span_report_drops(Decoder *d, const SpanDrops *drops, ApmOutcome outcome,
							  bool child);

/* Hands out spans in groups of equal trace and segment, see decode_group.c. */
typedef struct SpanExtra
{
	ApmStr		segment_name;
	ApmStr		environment;
	ApmStr		release;
	int32		transaction;	/* index into the transactions, -1: none */
	bool		orphan;			/* segment not said: to be found by its parents */
} SpanExtra;

extern void group_resolve(ApmSpan *spans, SpanExtra *extra, int32 n);
extern void group_emit(Decoder *d, ApmSpan *spans, SpanExtra *extra, int32 n,
					   ApmTransaction *transactions);

/* contexts.trace of an event or transaction. */
typedef struct TraceContext
{
	bool		present;
	bool		has_trace_id;
	uint8		trace_id[16];
	uint64		span_id;
	uint64		parent_span_id;
	ApmStr		op;
	ApmStr		origin;
	int8		status;
	int64		self_time_us;
	double		client_sample_rate;
	ApmStr		data;			/* JSON object or NULL */
	double		data_sample_rate;	/* what data says */
	ApmStr		data_method;
	int32		data_http_status;
} TraceContext;

/* What all exceptions of an event say together, and the last one. */
typedef struct ExceptionInfo
{
	int32		count;
	ApmStr		type;
	ApmStr		value;
	bool		any_unhandled;
	bool		any_handled;
} ExceptionInfo;

/*
 * Everything taken from the payload of an event or transaction item.  One
 * struct serves both, since an event item may turn out to be a transaction
 * by a type that comes last.
 */
typedef struct EventPayload
{
	ApmStr		type;
	bool		has_event_id;
	uint8		event_id[16];
	DecodeTime	start;
	DecodeTime	end;
	bool		before_1970;	/* timestamp is negative */
	ApmStr		name;
	ApmStr		source;
	ApmStr		level;
	ApmStr		culprit;
	ApmStr		platform;
	ApmStr		environment;
	ApmStr		release;
	ApmStr		sdk;
	ApmStr		message;
	ApmStr		logentry;
	UserFields	user;
	ApmStr		user_json;
	ApmStr		request_json;
	ApmStr		request_method;
	ApmStr		extra_json;
	ApmStr		contexts_json;
	ApmStr		server_name_json;
	ApmStr		dist_json;
	int32		response_status;
	TraceContext trace;
	ApmStr		tags;
	int32		tag_http_status;
	int64		dropped_tags;	/* beyond what a list may hold */
	ApmStr		measurements;
	int64		bad_measurements;
	ApmStr		fingerprint;
	ExceptionInfo exception;

	/* spans[0] is kept free for the root */
	ApmSpan    *spans;
	int32		nspans;
	int32		spans_cap;
	SpanDrops	drops;

	/* "key":value of all that has no column of its own, for errors */
	bool		want_rest;
	DecodeBuf	rest;
} EventPayload;

/* More spans than this in one item would be too much for one allocation. */
#define DECODE_MAX_SPANS	1000000

/* decode_event.c: transaction and event items */
extern bool event_decode(Decoder *d, bool is_transaction);

/* decode_fields.c: the objects inside an event */
extern bool event_user(JsonReader *r, EventPayload *e);
extern bool event_request(JsonReader *r, EventPayload *e);
extern bool event_contexts(JsonReader *r, EventPayload *e);
extern bool event_exception(JsonReader *r, ExceptionInfo *info);
extern bool event_logentry(JsonReader *r, ApmStr *text);
extern bool value_sdk(JsonReader *r, ApmStr *sdk);

/* decode_container.c: span v2 container */
extern bool container_decode(Decoder *d);

/* decode_session.c, decode_check_in.c, decode_report.c */
extern bool session_decode(Decoder *d);
extern bool sessions_decode(Decoder *d);
extern bool check_in_decode(Decoder *d);
extern bool report_decode(Decoder *d);

#endif							/* PG_APM_ENVELOPE_DECODE_H */
