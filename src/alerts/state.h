/*
 * alerts/state.h
 *		The state machine of an alert rule.  Pure.
 *
 * alert_step() takes a rule, where it stands and one measurement, and says
 * where it stands then and what happened to its incident.  Evaluation and
 * preview run nothing else; src/alerts/README.md tells the rules in words.
 */
#ifndef PG_APM_ALERTS_STATE_H
#define PG_APM_ALERTS_STATE_H

#include "shim.h"

typedef enum AlertStatus
{
	ALERT_OK,
	ALERT_PENDING,				/* breaches, but not yet often enough */
	ALERT_FIRING,
	ALERT_RECOVERING,			/* recovered, but not yet often enough */
	ALERT_NO_DATA,
	ALERT_ERROR
} AlertStatus;

typedef enum AlertSeverity
{
	ALERT_NONE,					/* no incident is open */
	ALERT_WARNING,
	ALERT_CRITICAL
} AlertSeverity;

/* What an empty window means. */
typedef enum AlertNoData
{
	ALERT_NO_DATA_KEEP,			/* nothing: everything stays as it is */
	ALERT_NO_DATA_OK,			/* a recovered measurement */
	ALERT_NO_DATA_ALERT,		/* a breach of the severest threshold */
	ALERT_NO_DATA_STATE			/* state no_data; an open incident stays open */
} AlertNoData;

typedef struct AlertRule
{
	bool		above;			/* else below */
	bool		has_critical;
	bool		has_warning;	/* at least one of the two */
	bool		has_resolve;
	double		critical;
	double		warning;
	double		resolve;
	int32		fire_after;		/* consecutive breaches, >= 1 */
	int32		resolve_after;	/* consecutive recoveries, >= 1 */
	int64		min_samples;	/* fewer change nothing; 0: never too few */
	AlertNoData no_data;
} AlertRule;

typedef struct AlertState
{
	AlertStatus status;
	AlertSeverity severity;		/* of the open incident */
	int32		warning_breaches;	/* consecutive, at most fire_after */
	int32		critical_breaches;
	int32		calm;			/* consecutive without critical, while critical */
	int32		recoveries;		/* consecutive recovered, while an incident is open */
} AlertState;

typedef enum AlertSampleKind
{
	ALERT_SAMPLE_VALUE,
	ALERT_SAMPLE_EMPTY,			/* no value: the window holds nothing */
	ALERT_SAMPLE_FAILED			/* could not be measured */
} AlertSampleKind;

typedef struct AlertSample
{
	AlertSampleKind kind;
	double		value;
	int64		samples;
} AlertSample;

/* How one measurement was judged. */
typedef enum AlertVerdict
{
	ALERT_VERDICT_OK,			/* recovered */
	ALERT_VERDICT_BETWEEN,		/* neither breaching nor recovered */
	ALERT_VERDICT_WARNING,
	ALERT_VERDICT_CRITICAL,
	ALERT_VERDICT_TOO_FEW,		/* fewer samples than the rule asks for */
	ALERT_VERDICT_NO_DATA,
	ALERT_VERDICT_ERROR
} AlertVerdict;

/* What happened to the incident; at most one thing in a step. */
typedef enum AlertTransition
{
	ALERT_UNCHANGED,
	ALERT_OPENED,
	ALERT_ESCALATED,
	ALERT_DEESCALATED,
	ALERT_RESOLVED
} AlertTransition;

typedef struct AlertStep
{
	AlertState	state;
	AlertVerdict verdict;
	AlertTransition transition;
} AlertStep;

/* The state of a rule that was never evaluated. */
extern void alert_state_init(AlertState *state);

extern AlertStep alert_step(const AlertRule *rule, const AlertState *state,
							const AlertSample *sample);

/*
 * Words of SQL for the enums, and back.  The readers return false for a word
 * that is none; alert_severity_word(ALERT_NONE) and
 * alert_transition_word(ALERT_UNCHANGED) are NULL.
 */
extern const char *alert_status_word(AlertStatus status);
extern const char *alert_severity_word(AlertSeverity severity);
extern const char *alert_verdict_word(AlertVerdict verdict);
extern const char *alert_transition_word(AlertTransition transition);
extern bool alert_read_status(const char *word, AlertStatus *status);
extern bool alert_read_severity(const char *word, AlertSeverity *severity);
extern bool alert_read_no_data(const char *word, AlertNoData *no_data);

#endif							/* PG_APM_ALERTS_STATE_H */
