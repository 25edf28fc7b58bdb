/*
 * pg_apm_plugin.h
 *		The public C interface of pg_apm: what a format decoder emits.
 *
 * This header is installed and needs no other header of pg_apm.  It is pure:
 * it compiles with and without server headers.  The built-in formats use the
 * same structs, so there is no private path.
 *
 * Ownership: whatever a decoder hands out points into the body or into memory
 * from palloc in the current context, and the decoder leaves it alone after
 * that: the receiver keeps pointers until it has stored the rows, and the
 * context goes as a whole.
 */
#ifndef PG_APM_PLUGIN_H
#define PG_APM_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APM_PLUGIN_MAGIC	UINT32_C(0x41504d31)	/* "APM1" */
#define APM_PLUGIN_ABI		1

/* Text or JSON of known length, not NUL-terminated.  data == NULL is SQL NULL. */
typedef struct ApmStr
{
	const char *data;
	uint32_t	len;
} ApmStr;

/* A span's status: gRPC code 0..16, or APM_STATUS_NULL. */
#define APM_STATUS_NULL		(-1)
#define APM_STATUS_COUNT	17

/* Marks an unknown number of microseconds. */
#define APM_MICROS_NULL		INT64_MIN

/*
 * One span.  Ids are big-endian numbers; 0 means none.  Times are whole
 * microseconds since 1970-01-01 UTC.  Text is valid UTF-8 without NUL.
 */
typedef struct ApmSpan
{
	uint8_t		trace_id[16];
	uint64_t	span_id;
	uint64_t	parent_span_id; /* 0: none */
	uint64_t	segment_id;		/* span id of the segment span; 0: unknown */
	bool		is_segment;
	int8_t		status;			/* APM_STATUS_NULL or 0..16 */
	int64_t		start_us;
	int64_t		duration_us;	/* >= 0 */
	int64_t		self_time_us;	/* APM_MICROS_NULL: unknown */
	ApmStr		op;
	ApmStr		description;
	ApmStr		category;
	ApmStr		span_group;
	ApmStr		origin;
	ApmStr		attributes;		/* text of a JSON object */
} ApmSpan;

/* One transaction: the segment span of one service's work, with its event. */
typedef struct ApmTransaction
{
	int32_t		project_id;		/* 0: unknown */
	bool		has_event_id;
	uint8_t		event_id[16];
	uint8_t		trace_id[16];
	uint64_t	span_id;
	uint64_t	parent_span_id; /* 0: none */
	ApmStr		name;
	ApmStr		source;
	ApmStr		op;
	int8_t		status;
	int64_t		start_us;
	int64_t		duration_us;
	ApmStr		environment;
	ApmStr		release;
	ApmStr		platform;
	ApmStr		sdk;			/* "name@version" */
	ApmStr		user_key;		/* "id:…", "username:…", "email:…" or "ip:…" */
	ApmStr		http_method;
	int32_t		http_status;	/* 0: unknown */
	ApmStr		measurements;	/* JSON object: name to {"value", "unit"} */
	ApmStr		tags;			/* JSON object of strings */
	ApmStr		contexts;		/* JSON object */
	double		sample_rate;	/* as sent; NaN: unknown */
	double		weight;			/* >= 1: how many this one stands for */
	int32_t		span_count;		/* spans that came with it, itself included */
} ApmTransaction;

/* One error event. */
typedef struct ApmError
{
	int32_t		project_id;		/* 0: unknown */
	bool		has_event_id;
	uint8_t		event_id[16];
	bool		has_trace_id;
	uint8_t		trace_id[16];
	uint64_t	span_id;		/* 0: unknown */
	ApmStr		level;
	ApmStr		type;			/* NULL: a message without exception */
	ApmStr		value;
	ApmStr		culprit;
	int8_t		handled;		/* -1 unknown, 0 false, 1 true */
	ApmStr		transaction_name;
	ApmStr		release;
	ApmStr		environment;
	ApmStr		user_key;
	ApmStr		fingerprint;	/* JSON array of strings */
	int64_t		event_us;		/* APM_MICROS_NULL: not sent */
	ApmStr		tags;			/* JSON object of strings */
	ApmStr		data;			/* JSON object: all that has no column */
} ApmError;

/*
 * The spans of one segment that one item brought.  All share trace_id and
 * segment_id.  transaction is NULL when the segment span itself is not among
 * them (it comes, or came, in another envelope).
 */
typedef struct ApmSegment
{
	int32_t		ordinal;		/* of the item in its envelope, from 1 */
	bool		has_event_id;	/* identity is transaction->event_id; else span ids */
	const ApmTransaction *transaction;
	uint8_t		trace_id[16];
	uint64_t	segment_id;		/* 0: unknown */
	ApmStr		transaction_name;
	ApmStr		environment;
	ApmStr		release;
	const ApmSpan *spans;
	int32_t		nspans;
} ApmSegment;

/* What becomes of an item or a part of one. */
typedef enum ApmOutcome
{
	APM_OUTCOME_REJECTED,		/* refused: malformed or over a limit */
	APM_OUTCOME_SKIPPED,		/* known or unknown, but not stored by pg_apm */
	APM_OUTCOME_DROPPED,		/* a part (one span) was left out, the item stays */
	APM_OUTCOME_REPAIRED		/* kept, with U+FFFD in place of NUL or a lone surrogate, or cut */
} ApmOutcome;

/*
 * Something to say about an item.  ordinal 0 means the envelope as a whole.
 * reason is a short fixed word ("invalid_json"), detail a sentence without
 * any content of the payload.
 */
typedef struct ApmProblem
{
	ApmOutcome	outcome;
	int32_t		ordinal;
	ApmStr		type;			/* item type */
	const char *reason;
	const char *detail;
	int64_t		offset;			/* byte offset in the body, -1: none */
	int64_t		quantity;		/* how many items, spans or strings */
} ApmProblem;

/* What the body says of itself, before its items. */
typedef struct ApmEnvelope
{
	bool		has_event_id;
	uint8_t		event_id[16];
	int64_t		sent_us;		/* sender's clock at sending; APM_MICROS_NULL: unknown */
	int32_t		project_id;		/* of its DSN; 0: none */
	ApmStr		public_key;		/* of its DSN */
} ApmEnvelope;

/*
 * A session update, or a bucket of sessions counted by the sender (then
 * has_session_id is false and quantity says how many ended so).
 */
typedef struct ApmSession
{
	bool		has_session_id;
	uint8_t		session_id[16];
	ApmStr		user;			/* "did" */
	ApmStr		release;
	ApmStr		environment;
	ApmStr		status;			/* ok, exited, crashed, abnormal, errored, unhandled */
	int64_t		started_us;
	int64_t		duration_us;	/* APM_MICROS_NULL: unknown */
	int64_t		sequence;		/* of updates of one session the highest counts */
	bool		init;
	int32_t		errors;
	int64_t		quantity;		/* 1 for an update */
} ApmSession;

/* A check-in of a scheduled job. */
typedef struct ApmCheckIn
{
	bool		has_check_in_id;	/* false: the latest one in progress is meant */
	uint8_t		check_in_id[16];
	ApmStr		monitor;		/* slug */
	ApmStr		status;			/* in_progress, ok, error */
	int64_t		duration_us;	/* APM_MICROS_NULL: unknown */
	ApmStr		release;
	ApmStr		environment;
	bool		has_trace_id;
	uint8_t		trace_id[16];
	ApmStr		config;			/* monitor_config as sent, a JSON object; NULL: not sent */
} ApmCheckIn;

/* What an SDK says it threw away. */
typedef struct ApmDiscard
{
	ApmStr		reason;
	ApmStr		category;
	int64_t		quantity;
	int64_t		reported_us;	/* of the report; APM_MICROS_NULL: not sent */
} ApmDiscard;

/* An item that the format does not decode, to be kept raw if somebody wants to. */
typedef struct ApmItem
{
	int32_t		ordinal;
	ApmStr		type;
	ApmStr		header;			/* JSON object */
	ApmStr		payload;		/* any bytes */
} ApmItem;

/*
 * Where a decoder puts what it finds.  Callbacks may ereport(ERROR).  header,
 * session, check_in, discard and item may be NULL: then the decoder passes
 * over what they would take.
 */
typedef struct ApmSink
{
	void	   *arg;
	void		(*header) (void *arg, const ApmEnvelope *envelope);
	void		(*segment) (void *arg, const ApmSegment *segment);
	void		(*error) (void *arg, int32_t ordinal, const ApmError *error);
	void		(*session) (void *arg, int32_t ordinal, const ApmSession *session);
	void		(*check_in) (void *arg, int32_t ordinal, const ApmCheckIn *check_in);
	void		(*discard) (void *arg, int32_t ordinal, const ApmDiscard *discard);
	void		(*item) (void *arg, const ApmItem *item);
	void		(*problem) (void *arg, const ApmProblem *problem);
} ApmSink;

/*
 * Settings a decoder obeys.  Sizes are in bytes; of the limits from
 * max_envelope_size on, 0 means none.
 */
typedef struct ApmDecodeOptions
{
	bool		strict;			/* pg_apm.validation = 'strict' */
	int32_t		max_depth;		/* JSON nesting */
	int32_t		max_envelope_size;	/* the whole body */
	int32_t		max_event_size; /* an event, transaction or feedback */
	int32_t		max_span_size;	/* a span, alone or in a container */
	int32_t		max_container_size; /* a container of spans, logs or metrics */
	int32_t		max_session_size;
	int32_t		max_check_in_size;
	int32_t		max_client_report_size;
	int32_t		max_profile_size;
	int32_t		max_attachment_size;	/* and whatever has no limit of its own */
	int32_t		max_standalone_spans;	/* span items in one body */
	int32_t		max_sessions;	/* session items in one body, buckets in one item */
} ApmDecodeOptions;

/*
 * A format.  A C handler is a function declared in SQL as
 * FUNCTION f(internal) RETURNS internal that returns a pointer to a static
 * const ApmFormat.  decode returns the envelope's event id through event_id
 * (16 bytes) and true if there is one.
 */
typedef struct ApmFormat
{
	uint32_t	magic;			/* APM_PLUGIN_MAGIC */
	uint32_t	abi;			/* APM_PLUGIN_ABI */
	uint32_t	size;			/* sizeof(ApmFormat) */
	const char *name;
	bool		(*decode) (const char *body, size_t len,
						   const ApmDecodeOptions *options,
						   const ApmSink *sink, uint8_t event_id[16]);
} ApmFormat;

#endif							/* PG_APM_PLUGIN_H */
