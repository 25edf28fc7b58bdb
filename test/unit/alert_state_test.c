/*
 * alert_state_test.c
 *		The state machine of alert rules: a table of told stories, and every
 *		short history against a second implementation that keeps the whole
 *		history instead of counters.
 */
#include "alerts/state.h"

#include <math.h>

static int	failures = 0;

#define CHECK(cond, ...) \
	do { if (!(cond)) { failures++; fprintf(stderr, __VA_ARGS__); fputc('\n', stderr); } } while (0)

/* ---- the second implementation ------------------------------------------ */

#define MAX_HISTORY 4096

typedef struct Naive
{
	char		seen[MAX_HISTORY];	/* 'c', 'w', 'b' between, 'o' recovered */
	int			nseen;
	AlertSeverity severity;
	AlertStatus status;
} Naive;

/* How many of the latest observations are all in the set. */
static int
run_of(const Naive *n, const char *set)
{
	int			k = 0;

	while (k < n->nseen && strchr(set, n->seen[n->nseen - 1 - k]))
		k++;
	return k;
}

static AlertTransition
naive_observe(const AlertRule *rule, Naive *n, char what)
{
	AlertSeverity before = n->severity;
	bool		critical_now;
	bool		warning_now;

	n->seen[n->nseen++] = what;
	critical_now = rule->has_critical && run_of(n, "c") >= rule->fire_after;
	warning_now = rule->has_warning && run_of(n, "cw") >= rule->fire_after;

	if (critical_now)
		n->severity = ALERT_CRITICAL;
	else if (warning_now && before == ALERT_NONE)
		n->severity = ALERT_WARNING;
	else if (before != ALERT_NONE && run_of(n, "o") >= rule->resolve_after)
		n->severity = ALERT_NONE;
	else if (before == ALERT_CRITICAL && rule->has_warning && run_of(n, "wbo") >= rule->resolve_after)
		n->severity = ALERT_WARNING;

	if (n->severity != ALERT_NONE)
		n->status = what == 'o' ? ALERT_RECOVERING : ALERT_FIRING;
	else
		n->status = what == 'c' || what == 'w' ? ALERT_PENDING : ALERT_OK;

	if (n->severity == before)
		return ALERT_UNCHANGED;
	if (before == ALERT_NONE)
		return ALERT_OPENED;
	if (n->severity == ALERT_NONE)
		return ALERT_RESOLVED;
	return n->severity > before ? ALERT_ESCALATED : ALERT_DEESCALATED;
}

/* The status that the history alone gives, for the end of an error. */
static AlertStatus
naive_status(const Naive *n)
{
	char		last = n->nseen > 0 ? n->seen[n->nseen - 1] : 'o';

	if (n->severity != ALERT_NONE)
		return n->nseen > 0 && last == 'o' ? ALERT_RECOVERING : ALERT_FIRING;
	return last == 'c' || last == 'w' ? ALERT_PENDING : ALERT_OK;
}

static char
naive_judge(const AlertRule *rule, double v)
{
	double		sign = rule->above ? 1 : -1;
	double		weakest = rule->has_warning ? rule->warning : rule->critical;

	if (rule->has_critical && sign * v > sign * rule->critical)
		return 'c';
	if (rule->has_warning && sign * v > sign * rule->warning)
		return 'w';
	if (rule->has_resolve)
		return sign * v < sign * rule->resolve ? 'o' : 'b';
	return sign * v <= sign * weakest ? 'o' : 'b';
}

static AlertTransition
naive_step(const AlertRule *rule, Naive *n, const AlertSample *s)
{
	if (s->kind == ALERT_SAMPLE_FAILED)
	{
		n->status = ALERT_ERROR;
		return ALERT_UNCHANGED;
	}
	if (s->kind == ALERT_SAMPLE_VALUE && !isnan(s->value))
	{
		if (s->samples >= rule->min_samples)
			return naive_observe(rule, n, naive_judge(rule, s->value));
		if (n->status == ALERT_ERROR)
			n->status = naive_status(n);
		return ALERT_UNCHANGED;
	}
	switch (rule->no_data)
	{
		case ALERT_NO_DATA_KEEP:
			if (n->status == ALERT_ERROR)
				n->status = naive_status(n);
			break;
		case ALERT_NO_DATA_OK:
			return naive_observe(rule, n, 'o');
		case ALERT_NO_DATA_ALERT:
			return naive_observe(rule, n, rule->has_critical ? 'c' : 'w');
		case ALERT_NO_DATA_STATE:
			n->nseen = 0;
			n->status = ALERT_NO_DATA;
			break;
	}
	return ALERT_UNCHANGED;
}

/* ---- all rules times all short histories --------------------------------- */

/* The samples that matter: both sides of, and on, each threshold. */
static int
make_alphabet(const AlertRule *rule, AlertSample *out)
{
	double		d = rule->above ? 1 : -1;
	double		values[8];
	int			nvalues = 0;
	int			n = 0;
	int			i;

	values[nvalues++] = 100 + d * 30;	/* beyond critical */
	values[nvalues++] = 100 + d * 20;	/* on critical */
	values[nvalues++] = 100 + d * 15;
	values[nvalues++] = 100 + d * 10;	/* on warning */
	values[nvalues++] = 100 + d * 5;
	values[nvalues++] = 100;	/* on resolve */
	values[nvalues++] = 100 - d * 5;
	for (i = 0; i < nvalues; i++)
	{
		out[n].kind = ALERT_SAMPLE_VALUE;
		out[n].value = values[i];
		out[n++].samples = 10;
	}
	out[n] = out[0];
	out[n++].samples = 1;		/* too few when min_samples is 2 */
	out[n].kind = ALERT_SAMPLE_EMPTY;
	out[n].samples = 0;
	out[n++].value = 0;
	out[n].kind = ALERT_SAMPLE_FAILED;
	out[n].samples = 0;
	out[n++].value = 0;
	return n;
}

static long steps = 0;

static void
compare(const AlertRule *rule, const AlertSample *s, AlertState *state, Naive *naive)
{
	AlertStep	step = alert_step(rule, state, s);
	AlertTransition expected = naive_step(rule, naive, s);

	steps++;
	if (step.transition != expected || step.state.status != naive->status ||
		step.state.severity != naive->severity)
	{
		if (failures++ < 10)
			fprintf(stderr, "differs: above %d critical %d warning %d resolve %d fire %d/%d no_data %d: "
					"value %g samples %d kind %d: %d %d %d, expected %d %d %d\n",
					rule->above, rule->has_critical, rule->has_warning, rule->has_resolve,
					(int) rule->fire_after, (int) rule->resolve_after, rule->no_data,
					s->value, (int) s->samples, s->kind,
					step.transition, step.state.status, step.state.severity,
					expected, naive->status, naive->severity);
	}
	*state = step.state;
}

static void
walk(const AlertRule *rule, const AlertSample *alphabet, int n, int depth,
	 const AlertState *state, Naive *naive)
{
	int			i;

	for (i = 0; depth > 0 && i < n; i++)
	{
		AlertState	here = *state;
		int			nseen = naive->nseen;
		AlertSeverity severity = naive->severity;
		AlertStatus status = naive->status;
		char		saved[8];

		memcpy(saved, naive->seen, sizeof(saved));
		compare(rule, &alphabet[i], &here, naive);
		walk(rule, alphabet, n, depth - 1, &here, naive);
		naive->nseen = nseen;
		naive->severity = severity;
		naive->status = status;
		memcpy(naive->seen, saved, sizeof(saved));
	}
}

static void
long_histories(const AlertRule *rule, const AlertSample *alphabet, int n, uint64 *seed)
{
	static Naive naive;
	AlertState	state;
	int			current = 0;
	int			i;

	memset(&naive, 0, sizeof(naive));
	naive.status = ALERT_NO_DATA;
	alert_state_init(&state);
	for (i = 0; i < 400; i++)
	{
		*seed = *seed * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
		/* stay with the same sample half of the time, so that rows get long */
		if ((*seed >> 60) < 8)
			current = (int) ((*seed >> 33) % n);
		compare(rule, &alphabet[current], &state, &naive);
	}
}

static void
all_rules(void)
{
	static Naive naive;
	uint64		seed = 1;
	int			code;

	for (code = 0; code < 2 * 3 * 2 * 3 * 3 * 4; code++)
	{
		AlertRule	rule;
		AlertSample alphabet[16];
		AlertState	state;
		int			c = code;
		int			n;

		memset(&rule, 0, sizeof(rule));
		rule.above = c % 2;
		c /= 2;
		rule.has_critical = c % 3 != 0;
		rule.has_warning = c % 3 != 1;
		c /= 3;
		rule.has_resolve = c % 2;
		c /= 2;
		rule.fire_after = 1 + c % 3;
		c /= 3;
		rule.resolve_after = 1 + c % 3;
		c /= 3;
		rule.no_data = (AlertNoData) c;
		rule.critical = rule.above ? 120 : 80;
		rule.warning = rule.above ? 110 : 90;
		rule.resolve = 100;
		rule.min_samples = 2;

		n = make_alphabet(&rule, alphabet);
		memset(&naive, 0, sizeof(naive));
		naive.status = ALERT_NO_DATA;
		alert_state_init(&state);
		walk(&rule, alphabet, n, 4, &state, &naive);
		for (c = 0; c < 20; c++)
			long_histories(&rule, alphabet, n, &seed);
	}
}

/* ---- told stories -------------------------------------------------------- */

typedef struct Story
{
	const char *name;
	AlertRule	rule;
	const char *samples;		/* numbers, "-" no data, "!" failure, "few:N" */
	const char *expected;		/* state[/severity][:transition] of each step */
} Story;

#define RULE(above, hc, c, hw, w, hr, r, fire, res, nd) \
	{above, hc, hw, hr, c, w, r, fire, res, 1, nd}

static const Story stories[] = {
	{"one threshold, strict, equality recovers",
		RULE(true, true, 100, false, 0, false, 0, 1, 1, ALERT_NO_DATA_KEEP),
		"99 100 100.5 101 100 100",
	"ok ok firing/critical:opened firing/critical ok:resolved ok"},
	{"below",
		RULE(false, true, 0.9, false, 0, false, 0, 1, 1, ALERT_NO_DATA_KEEP),
		"0.95 0.9 0.89 0.9",
	"ok ok firing/critical:opened ok:resolved"},
	{"hysteresis keeps the incident, on the resolve threshold too",
		RULE(true, true, 100, false, 0, true, 80, 1, 1, ALERT_NO_DATA_KEEP),
		"90 101 90 80 79 90",
	"ok firing/critical:opened firing/critical firing/critical ok:resolved ok"},
	{"up through warning and down again",
		RULE(true, true, 200, true, 100, false, 0, 1, 1, ALERT_NO_DATA_KEEP),
		"50 150 250 150 50",
	"ok firing/warning:opened firing/critical:escalated firing/warning:deescalated ok:resolved"},
	{"straight to critical, straight down",
		RULE(true, true, 200, true, 100, false, 0, 1, 1, ALERT_NO_DATA_KEEP),
		"250 50",
	"firing/critical:opened ok:resolved"},
	{"in the band a critical incident falls to warning",
		RULE(true, true, 200, true, 100, true, 60, 1, 1, ALERT_NO_DATA_KEEP),
		"250 80 59",
	"firing/critical:opened firing/warning:deescalated ok:resolved"},
	{"two breaches in a row, three recoveries in a row",
		RULE(true, true, 100, false, 0, false, 0, 2, 3, ALERT_NO_DATA_KEEP),
		"101 50 101 101 50 50 101 50 50 50",
		"pending ok pending firing/critical:opened recovering/critical recovering/critical "
	"firing/critical recovering/critical recovering/critical ok:resolved"},
	{"critical breaches count for warning",
		RULE(true, true, 200, true, 100, false, 0, 2, 1, ALERT_NO_DATA_KEEP),
		"250 150 250 250",
	"pending firing/warning:opened firing/warning firing/critical:escalated"},
	{"keep: nothing known, then silence changes nothing",
		RULE(true, true, 100, false, 0, false, 0, 1, 1, ALERT_NO_DATA_KEEP),
		"- 50 - 101 - - 50",
	"no_data ok ok firing/critical:opened firing/critical firing/critical ok:resolved"},
	{"keep: a row of breaches goes on over silence and scarcity",
		RULE(true, true, 100, false, 0, false, 0, 2, 1, ALERT_NO_DATA_KEEP),
		"101 - few:0 101",
	"pending pending pending firing/critical:opened"},
	{"ok: silence recovers",
		RULE(true, true, 100, false, 0, false, 0, 1, 1, ALERT_NO_DATA_OK),
		"- 101 -",
	"ok firing/critical:opened ok:resolved"},
	{"alert: silence breaches",
		RULE(false, false, 0, true, 10, false, 0, 2, 1, ALERT_NO_DATA_ALERT),
		"20 - - 20",
	"ok pending firing/warning:opened ok:resolved"},
	{"no_data: a state of its own, the incident stays open",
		RULE(true, true, 100, false, 0, false, 0, 2, 1, ALERT_NO_DATA_STATE),
		"101 - 101 101 - 50",
	"pending no_data pending firing/critical:opened no_data/critical ok:resolved"},
	{"an error opens and resolves nothing",
		RULE(true, true, 100, false, 0, false, 0, 1, 1, ALERT_NO_DATA_KEEP),
		"! 101 ! few:0 ! - 50",
		"error firing/critical:opened error/critical firing/critical error/critical "
	"firing/critical ok:resolved"},
	{"not-a-number is no data, infinity is a value",
		RULE(true, true, 100, false, 0, false, 0, 1, 1, ALERT_NO_DATA_KEEP),
		"nan inf nan -inf",
	"no_data firing/critical:opened firing/critical ok:resolved"},
};

static void
tell(const Story *story)
{
	char		samples[256];
	char		expected[512];
	char	   *s_save;
	char	   *e_save;
	char	   *s;
	char	   *e;
	AlertState	state;
	int			i = 0;

	strcpy(samples, story->samples);
	strcpy(expected, story->expected);
	alert_state_init(&state);
	s = strtok_r(samples, " ", &s_save);
	e = strtok_r(expected, " ", &e_save);
	for (; s && e; s = strtok_r(NULL, " ", &s_save), e = strtok_r(NULL, " ", &e_save))
	{
		AlertSample sample = {ALERT_SAMPLE_VALUE, 0, 5};
		AlertStep	step;
		char		got[128];

		if (strcmp(s, "-") == 0)
			sample.kind = ALERT_SAMPLE_EMPTY;
		else if (strcmp(s, "!") == 0)
			sample.kind = ALERT_SAMPLE_FAILED;
		else if (strncmp(s, "few:", 4) == 0)
			sample.samples = atoi(s + 4);
		else
			sample.value = strtod(s, NULL);
		step = alert_step(&story->rule, &state, &sample);
		snprintf(got, sizeof(got), "%s%s%s%s%s", alert_status_word(step.state.status),
				 step.state.severity ? "/" : "",
				 step.state.severity ? alert_severity_word(step.state.severity) : "",
				 step.transition ? ":" : "",
				 step.transition ? alert_transition_word(step.transition) : "");
		i++;
		CHECK(strcmp(got, e) == 0, "%s: step %d (%s): %s, expected %s", story->name, i, s, got, e);
		state = step.state;
	}
	CHECK(s == NULL && e == NULL, "%s: as many expectations as samples", story->name);
}

/* Thresholds can be taken from a rule whose incident is open. */
static void
altered_rules(void)
{
	AlertRule	warning_only = RULE(true, false, 0, true, 100, false, 0, 1, 1, ALERT_NO_DATA_KEEP);
	AlertRule	critical_only = RULE(true, true, 200, false, 0, false, 0, 1, 1, ALERT_NO_DATA_KEEP);
	AlertState	state;
	AlertSample sample = {ALERT_SAMPLE_VALUE, 150, 1};
	AlertStep	step;

	alert_state_init(&state);
	state.status = ALERT_FIRING;
	state.severity = ALERT_CRITICAL;
	step = alert_step(&warning_only, &state, &sample);
	CHECK(step.transition == ALERT_DEESCALATED && step.state.severity == ALERT_WARNING,
		  "critical incident of a rule without critical threshold");

	state.severity = ALERT_WARNING;
	step = alert_step(&critical_only, &state, &sample);
	CHECK(step.transition == ALERT_RESOLVED, "warning incident of a rule without warning threshold");
	sample.value = 201;
	step = alert_step(&critical_only, &state, &sample);
	CHECK(step.transition == ALERT_ESCALATED, "warning incident, critical breach");
}

static void
words(void)
{
	AlertStatus status;
	AlertSeverity severity;
	AlertNoData no_data;
	int			i;

	for (i = ALERT_OK; i <= ALERT_ERROR; i++)
		CHECK(alert_read_status(alert_status_word((AlertStatus) i), &status) && (int) status == i,
			  "status %d reads back", i);
	for (i = ALERT_WARNING; i <= ALERT_CRITICAL; i++)
		CHECK(alert_read_severity(alert_severity_word((AlertSeverity) i), &severity) && (int) severity == i,
			  "severity %d reads back", i);
	CHECK(alert_read_no_data("keep", &no_data) && no_data == ALERT_NO_DATA_KEEP, "keep");
	CHECK(alert_read_no_data("no_data", &no_data) && no_data == ALERT_NO_DATA_STATE, "no_data");
	CHECK(!alert_read_no_data("Keep", &no_data), "words are exact");
	CHECK(!alert_read_status("", &status), "no empty status");
	CHECK(!alert_read_severity("none", &severity), "no word for no severity");
}

int
main(void)
{
	size_t		i;

	for (i = 0; i < lengthof(stories); i++)
		tell(&stories[i]);
	altered_rules();
	words();
	all_rules();
	printf("alert_state: %zu stories, %ld steps compared, %d failures\n",
		   lengthof(stories), steps, failures);
	return failures > 0;
}
