/*
 * store/store.h
 *		From decoded rows to stored rows: one batch of bodies at a time.
 *
 * A batch runs through fixed steps, each a function of its own file:
 * decode (ingest.c), cut (limits.c), identity (identity.c), prepare and
 * insert (persist.c, persist_health.c).
 * All memory of a batch lives in one context, strings stay where the decoder
 * put them.
 */
#ifndef PG_APM_STORE_H
#define PG_APM_STORE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

#include "plugin/pg_apm_plugin.h"

/* What is said about a body, equal things counted together. */
typedef struct StoreProblem
{
	ApmOutcome	outcome;
	int32		ordinal;		/* of the first item concerned; 0: the body */
	const char *type;			/* item type, cut to 64 bytes */
	const char *reason;
	const char *detail;
	int64		offset;
	int64		quantity;
	int64		bytes;			/* of payloads that were passed over */
} StoreProblem;

typedef struct StoreBody
{
	int32		project_id;
	TimestampTz received_at;
	int64		sent_us;		/* sender's clock, APM_MICROS_NULL: unknown */
	int32		dsn_project_id; /* of the DSN in its header; 0: none */
	bool		is_null;
	bool		refused;		/* nothing of it may be stored */
	struct varlena *bytes;		/* as given, maybe toasted */
	bool		has_event_id;
	uint8		event_id[16];
	int32		accepted;		/* items of which something was stored */
	int32		rejected;		/* items refused; a body that is no envelope counts as one */
	int32		skipped;		/* items not stored by choice, or stored before */
	StoreProblem *problems;
	int			nproblems;
} StoreBody;

/*
 * An item of a body, once something is known of it.  What counts in the end is
 * whether anything of it was stored, else whether it was passed over or was
 * there before; what is neither was refused.
 */
typedef struct StoreItem
{
	int			body;
	int32		ordinal;
	bool		stored;
	bool		skipped;
	bool		duplicate;
	bool		by_content;		/* has no id: recognized by hash and time of sending */
	const char *type;			/* if by_content */
	uint64		hash[2];
} StoreItem;

typedef struct StoreSegment
{
	int			item;
	ApmSegment	segment;
	ApmTransaction transaction; /* copy, when segment.transaction is set */
	bool		refused;		/* no partition may be made for it */
	bool		spans_retired;	/* its spans have no partition any more */
	bool		duplicate;
	ApmStr		late_vitals;	/* JSON of web vitals that came apart; data == NULL: none */
} StoreSegment;

typedef struct StoreError
{
	int			item;
	ApmError	error;
	bool		refused;
	bool		duplicate;
} StoreError;

typedef struct StoreSession
{
	int			item;
	ApmSession	session;
} StoreSession;

typedef struct StoreCheckIn
{
	int			item;
	ApmCheckIn	check_in;
} StoreCheckIn;

typedef struct StoreDiscard
{
	int			item;
	ApmDiscard	discard;
} StoreDiscard;

typedef struct StoreRaw
{
	int			item;
	ApmItem		raw;
	ApmStr		kept;			/* its payload, less secrets */
} StoreRaw;

typedef struct StoreBatch
{
	StoreBody  *bodies;
	int			nbodies;
	StoreItem  *items;
	int			nitems;
	int			maxitems;
	StoreSegment *segments;
	int			nsegments;
	int			maxsegments;
	StoreError *errors;
	int			nerrors;
	int			maxerrors;
	StoreSession *sessions;
	int			nsessions;
	int			maxsessions;
	StoreCheckIn *check_ins;
	int			ncheck_ins;
	int			maxcheck_ins;
	StoreDiscard *discards;
	int			ndiscards;
	int			maxdiscards;
	StoreRaw   *raws;
	int			nraws;
	int			maxraws;
	int			current;		/* body being decoded */
} StoreBatch;

/* Outcomes under construction. */
typedef struct OutcomeRow
{
	int32		project_id;
	const char *category;
	const char *outcome;
	const char *reason;			/* NULL: none */
	int64		quantity;
} OutcomeRow;

typedef struct OutcomeList
{
	OutcomeRow *rows;
	int			n;
	int			max;
} OutcomeList;

/* ingest.c: notes a problem; counters are the caller's affair. */
extern StoreProblem *store_add_problem(StoreBody *body, const ApmProblem *problem);

/* The same, for a problem without position. */
extern void store_note(StoreBody *body, ApmOutcome outcome, int32 ordinal, const char *type,
					   const char *reason, const char *detail, int64 quantity);

/*
 * receive.c: how much the batch holds, to go back there when a body turns out
 * to be refused as a whole.
 */
typedef struct StoreMark
{
	int			nitems;
	int			nsegments;
	int			nerrors;
	int			nsessions;
	int			ncheck_ins;
	int			ndiscards;
	int			nraws;
} StoreMark;

extern StoreMark receive_mark(const StoreBatch *batch);
extern void receive_forget(StoreBatch *batch, StoreBody *body, const StoreMark *mark);

/* receive.c: the sink of a batch; index of the entry for an item of the current body. */
extern void receive_sink(StoreBatch *batch, ApmSink *sink);
extern int	receive_item(StoreBatch *batch, int32 ordinal);

/*
 * limits.c: leaves out spans beyond the limit, and cuts texts that are longer
 * than allowed.  Texts are cut after they were scrubbed: half a secret would
 * not be recognized.
 */
extern void limits_count(StoreBatch *batch);
extern void limits_cut(StoreBatch *batch);

/* identity.c: claims the identity of everything in the batch; marks what was there before. */
extern void identity_claim(StoreBatch *batch);

/* persist.c: projects, partitions, rows and outcomes. */
extern void persist_check_projects(StoreBatch *batch);
extern void persist_check_partitions(StoreBatch *batch);
extern void persist_rows(StoreBatch *batch);

/* End of a segment in Unix microseconds: its own, or of the last of its spans. */
extern int64 store_segment_end_us(const StoreSegment *s);
extern void persist_outcomes(StoreBatch *batch);
extern StoreBody *persist_item_body(StoreBatch *batch, int item);
extern void persist_add_outcome(OutcomeList *list, int32 project_id, const char *category,
								const char *outcome, const char *reason, int64 quantity);
extern const char *persist_category(const char *type, ApmOutcome outcome, const char *reason);

/* persist_health.c: sessions, check-ins, raw items, and what of them counts */
extern void persist_health(StoreBatch *batch);
extern void persist_health_outcomes(StoreBatch *batch, OutcomeList *list);

/* partition.c */
typedef enum StoreTable
{
	STORE_TRANSACTIONS,
	STORE_SPAN_BATCHES,
	STORE_ERRORS
} StoreTable;

typedef enum PartitionState
{
	PARTITION_READY,
	PARTITION_LIMIT,			/* pg_apm.max_partitions stands against it */
	PARTITION_RETIRED			/* retention has dropped that day */
} PartitionState;

/* Makes sure that a row of this time has a partition to go to, or says why not. */
extern PartitionState partition_ensure(StoreTable table, TimestampTz time);

#endif							/* PG_APM_STORE_H */
