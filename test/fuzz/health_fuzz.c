/*
 * health_fuzz.c
 *		Decoders of sessions, check-ins and reports, the format of single
 *		events, crontab schedules and cuts, over any bytes.
 *
 * The first byte picks what the rest is: the payload of an item of some type,
 * a whole body, a schedule, or a text or object to cut.
 */
#include "context.h"

#include "envelope/envelope.h"
#include "json/reader.h"
#include "store/cron.h"
#include "store/cut.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

/* Text has to be readable and without NUL. */
static void
touch(ApmStr s)
{
	uint32		i;

	for (i = 0; i < s.len; i++)
		expect(s.data[i] != '\0');
}

static void
touch_object(ApmStr s)
{
	JsonReader	r;

	if (s.data == NULL)
		return;
	touch(s);
	json_reader_init(&r, s.data, s.len, JSON_DEPTH_LIMIT);
	expect(json_reader_peek(&r) == JSON_KIND_OBJECT && json_reader_skip(&r) && json_reader_finish(&r));
}

typedef struct Tally
{
	int64		sessions;
	int64		check_ins;
	int64		discards;
	int64		others;
	int64		said;			/* problems that account for an item */
} Tally;

static void
on_segment(void *arg, const ApmSegment *s)
{
	((Tally *) arg)->others += s->nspans;
}

static void
on_error(void *arg, int32 ordinal, const ApmError *e)
{
	((Tally *) arg)->others++;
	touch(e->value);
	touch_object(e->data);
}

static void
on_session(void *arg, int32 ordinal, const ApmSession *s)
{
	((Tally *) arg)->sessions++;
	expect(ordinal > 0 && s->quantity > 0 && s->quantity <= UINT32_MAX && s->errors >= 0);
	expect(s->started_us >= 0 && s->sequence >= 0 && s->release.len > 0 && s->status.len > 0);
	expect(s->duration_us >= 0 || s->duration_us == APM_MICROS_NULL);
	expect(s->has_session_id || s->status.len > 2);
	touch(s->user);
	touch(s->release);
	touch(s->environment);
}

static void
on_check_in(void *arg, int32 ordinal, const ApmCheckIn *c)
{
	((Tally *) arg)->check_ins++;
	expect(ordinal > 0 && c->monitor.len > 0 && c->status.len > 0);
	expect(c->duration_us >= 0 || c->duration_us == APM_MICROS_NULL);
	touch(c->monitor);
	touch(c->release);
	touch(c->environment);
	touch_object(c->config);
}

static void
on_discard(void *arg, int32 ordinal, const ApmDiscard *d)
{
	((Tally *) arg)->discards++;
	expect(ordinal > 0 && d->quantity > 0 && d->quantity <= UINT32_MAX && d->category.len > 0);
	touch(d->reason);
	touch(d->category);
}

static void
on_item(void *arg, const ApmItem *i)
{
	((Tally *) arg)->others++;
	touch(i->type);
	touch_object(i->header);
}

static void
on_problem(void *arg, const ApmProblem *p)
{
	expect(p->quantity > 0 && p->reason != NULL && p->detail != NULL);
	((Tally *) arg)->said += p->outcome != APM_OUTCOME_REPAIRED;
}

/* Whatever comes is handed out, or something is said of it. */
static Tally
decode(const ApmFormat *format, const char *body, size_t len, bool strict)
{
	ApmDecodeOptions options = {.strict = strict, .max_depth = 128, .max_sessions = 20,
	.max_standalone_spans = 5, .max_event_size = 4096};
	Tally		tally = {0};
	ApmSink		sink = {
		.arg = &tally, .segment = on_segment, .error = on_error, .session = on_session,
		.check_in = on_check_in, .discard = on_discard, .item = on_item, .problem = on_problem
	};
	uint8		event_id[16];

	format->decode(body, len, &options, &sink, event_id);
	expect(tally.sessions + tally.check_ins + tally.discards + tally.others + tally.said > 0);
	return tally;
}

static void
decode_both(const ApmFormat *format, const char *body, size_t len)
{
	Tally		strict = decode(format, body, len, true);
	Tally		lenient = decode(format, body, len, false);

	expect(lenient.sessions >= strict.sessions && lenient.check_ins >= strict.check_ins);
	expect(lenient.discards >= strict.discards && lenient.others >= strict.others);
}

/* An item of a type, its payload by length. */
static void
decode_as(const char *type, const char *payload, size_t len)
{
	char	   *body = palloc(len + 100);
	int			n = sprintf(body, "{}\n{\"type\":\"%s\",\"length\":%zu}\n", type, len);

	memcpy(body + n, payload, len);
	decode_both(&envelope_format_sentry, body, n + len);
}

static void
schedule(const char *s, size_t len, int64 after)
{
	CronSchedule cron;
	int64		next;

	if (!cron_parse(s, len, &cron))
		return;
	next = cron_next(&cron, after);
	expect(next == CRON_NEVER || next > after);
	if (next != CRON_NEVER && next > after + 1)
		expect(cron_next(&cron, next - 1) == next);
}

static void
cut(const char *s, size_t len, int limit)
{
	ApmStr		text = {s, (uint32) len};
	ApmStr		object = text;
	JsonReader	r;
	int64		ncut = 0;
	int64		ndropped = 0;

	expect(cut_text(&text, limit) || text.len == len);
	expect(text.len <= len + 3);
	json_reader_init(&r, s, len, 128);
	if (json_reader_peek(&r) != JSON_KIND_OBJECT || !json_reader_skip(&r) || !json_reader_finish(&r))
		return;
	cut_tags(&object, limit, &ncut, &ndropped);
	touch_object(object);
	cut_members(&object, limit);
	touch_object(object);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *) data + 1;

	if (size == 0)
		return 0;
	size--;
	context_begin();
	switch (data[0])
	{
		case 's':
			decode_as("session", s, size);
			break;
		case 'b':
			decode_as("sessions", s, size);
			break;
		case 'c':
			decode_as("check_in", s, size);
			break;
		case 'r':
			decode_as("client_report", s, size);
			break;
		case 'e':
			decode_both(&envelope_format_sentry_store, s, size);
			break;
		case 't':
			schedule(s, size, (int64) size * 1000003 - 40000000);
			break;
		case 'x':
			cut(s, size, 5);
			break;
		default:
			decode_both(&envelope_format_sentry, s - 1, size + 1);
			break;
	}
	context_end();
	return 0;
}
