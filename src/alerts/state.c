/*
 * alerts/state.c
 *		The state machine of an alert rule.  Pure.
 */
#include "alerts/state.h"

#include <math.h>

static const char *const status_words[] = {
	"ok", "pending", "firing", "recovering", "no_data", "error"
};
static const char *const severity_words[] = {NULL, "warning", "critical"};
static const char *const verdict_words[] = {
	"ok", "between", "warning", "critical", "too_few", "no_data", "error"
};
static const char *const transition_words[] = {
	NULL, "opened", "escalated", "deescalated", "resolved"
};
static const char *const no_data_words[] = {"keep", "ok", "alert", "no_data"};

/*
 * Nothing is known of a rule before its first evaluation, and "ok" would
 * claim something.
 */
void
alert_state_init(AlertState *state)
{
	memset(state, 0, sizeof(AlertState));
	state->status = ALERT_NO_DATA;
}

static bool
breaches(const AlertRule *rule, double value, double threshold)
{
	return rule->above ? value > threshold : value < threshold;
}

/*
 * Without a resolve threshold, whatever does not breach the weakest threshold
 * has recovered, equality included; with one, only what lies strictly beyond
 * it, as in Sentry.
 */
static bool
recovered(const AlertRule *rule, double value)
{
	if (rule->has_resolve)
		return rule->above ? value < rule->resolve : value > rule->resolve;
	return !breaches(rule, value, rule->has_warning ? rule->warning : rule->critical);
}

/*
 * One measured value.  A resolve threshold may lie so that a value breaches
 * and has recovered at once only if the rule was checked badly; breaching
 * wins then.
 */
static AlertVerdict
judge_value(const AlertRule *rule, double value)
{
	if (rule->has_critical && breaches(rule, value, rule->critical))
		return ALERT_VERDICT_CRITICAL;
	if (rule->has_warning && breaches(rule, value, rule->warning))
		return ALERT_VERDICT_WARNING;
	return recovered(rule, value) ? ALERT_VERDICT_OK : ALERT_VERDICT_BETWEEN;
}

static AlertVerdict
judge(const AlertRule *rule, const AlertSample *sample)
{
	if (sample->kind == ALERT_SAMPLE_FAILED)
		return ALERT_VERDICT_ERROR;
	/* Not-a-number compares with nothing, so it measures nothing. */
	if (sample->kind == ALERT_SAMPLE_EMPTY || isnan(sample->value))
		return ALERT_VERDICT_NO_DATA;
	if (sample->samples < rule->min_samples)
		return ALERT_VERDICT_TOO_FEW;
	return judge_value(rule, sample->value);
}

/* Counts one more of a row of n, or starts anew. */
static int32
count_row(int32 counted, bool hit, int32 n)
{
	if (!hit)
		return 0;
	return counted < n ? counted + 1 : n;
}

static AlertStatus
status_of(const AlertState *state)
{
	if (state->severity != ALERT_NONE)
		return state->recoveries > 0 ? ALERT_RECOVERING : ALERT_FIRING;
	if (state->warning_breaches > 0 || state->critical_breaches > 0)
		return ALERT_PENDING;
	return ALERT_OK;
}

/*
 * Applies a judged value to the counters, and the counters to the incident.
 *
 * A critical breach is a breach of the warning threshold too, so the warning
 * counter never lags behind the critical one and severities are reached in
 * order.  A critical incident falls back to warning when the critical
 * threshold was not breached resolve_after times; it resolves when the value
 * recovered resolve_after times, whatever its severity.
 */
static AlertTransition
apply(const AlertRule *rule, AlertState *state, AlertVerdict verdict)
{
	bool		critical = verdict == ALERT_VERDICT_CRITICAL;
	bool		warning = critical || verdict == ALERT_VERDICT_WARNING;
	AlertSeverity before = state->severity;
	AlertSeverity reached = ALERT_NONE;

	state->critical_breaches = count_row(state->critical_breaches,
										 critical && rule->has_critical, rule->fire_after);
	state->warning_breaches = count_row(state->warning_breaches,
										warning && rule->has_warning, rule->fire_after);
	state->recoveries = count_row(state->recoveries,
								  before != ALERT_NONE && verdict == ALERT_VERDICT_OK,
								  rule->resolve_after);
	state->calm = count_row(state->calm, before == ALERT_CRITICAL && !critical,
							rule->resolve_after);

	if (state->critical_breaches >= rule->fire_after)
		reached = ALERT_CRITICAL;
	else if (state->warning_breaches >= rule->fire_after)
		reached = ALERT_WARNING;

	if (reached > before)
	{
		state->severity = reached;
		return before == ALERT_NONE ? ALERT_OPENED : ALERT_ESCALATED;
	}
	if (before != ALERT_NONE && state->recoveries >= rule->resolve_after)
	{
		state->severity = ALERT_NONE;
		state->recoveries = 0;
		state->calm = 0;
		return ALERT_RESOLVED;
	}
	if (before == ALERT_CRITICAL && rule->has_warning && state->calm >= rule->resolve_after)
	{
		state->severity = ALERT_WARNING;
		state->calm = 0;
		return ALERT_DEESCALATED;
	}
	return ALERT_UNCHANGED;
}

/*
 * What an empty window does, by the rule's policy.  Under "no_data" a row of
 * breaches or recoveries is broken, since nobody knows what lay between.
 */
static AlertTransition
apply_no_data(const AlertRule *rule, AlertState *state)
{
	AlertTransition transition = ALERT_UNCHANGED;

	switch (rule->no_data)
	{
		case ALERT_NO_DATA_KEEP:
			/* a rule that was in error is so no longer: it was measured */
			if (state->status == ALERT_ERROR)
				state->status = status_of(state);
			break;
		case ALERT_NO_DATA_OK:
			transition = apply(rule, state, ALERT_VERDICT_OK);
			state->status = status_of(state);
			break;
		case ALERT_NO_DATA_ALERT:
			transition = apply(rule, state, rule->has_critical ?
							   ALERT_VERDICT_CRITICAL : ALERT_VERDICT_WARNING);
			state->status = status_of(state);
			break;
		case ALERT_NO_DATA_STATE:
			state->warning_breaches = state->critical_breaches = 0;
			state->calm = state->recoveries = 0;
			state->status = ALERT_NO_DATA;
			break;
	}
	return transition;
}

AlertStep
alert_step(const AlertRule *rule, const AlertState *state, const AlertSample *sample)
{
	AlertStep	step;

	step.state = *state;
	step.transition = ALERT_UNCHANGED;
	step.verdict = judge(rule, sample);

	switch (step.verdict)
	{
		case ALERT_VERDICT_ERROR:
			/* an incident neither opens nor resolves on a broken measurement */
			step.state.status = ALERT_ERROR;
			break;
		case ALERT_VERDICT_NO_DATA:
			step.transition = apply_no_data(rule, &step.state);
			break;
		case ALERT_VERDICT_TOO_FEW:
			if (state->status == ALERT_ERROR)
				step.state.status = status_of(state);
			break;
		default:
			step.transition = apply(rule, &step.state, step.verdict);
			step.state.status = status_of(&step.state);
			break;
	}
	return step;
}

const char *
alert_status_word(AlertStatus status)
{
	return status_words[status];
}

const char *
alert_severity_word(AlertSeverity severity)
{
	return severity_words[severity];
}

const char *
alert_verdict_word(AlertVerdict verdict)
{
	return verdict_words[verdict];
}

const char *
alert_transition_word(AlertTransition transition)
{
	return transition_words[transition];
}

/* The index of word among n words, or -1. */
static int
find_word(const char *word, const char *const *words, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		if (words[i] != NULL && strcmp(words[i], word) == 0)
			return i;
	return -1;
}

bool
alert_read_status(const char *word, AlertStatus *status)
{
	int			i = find_word(word, status_words, lengthof(status_words));

	if (i >= 0)
		*status = (AlertStatus) i;
	return i >= 0;
}

bool
alert_read_severity(const char *word, AlertSeverity *severity)
{
	int			i = find_word(word, severity_words, lengthof(severity_words));

	if (i >= 0)
		*severity = (AlertSeverity) i;
	return i >= 0;
}

bool
alert_read_no_data(const char *word, AlertNoData *no_data)
{
	int			i = find_word(word, no_data_words, lengthof(no_data_words));

	if (i >= 0)
		*no_data = (AlertNoData) i;
	return i >= 0;
}
