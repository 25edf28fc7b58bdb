/*
 * store/infer.h
 *		Ops and statuses that were not sent, by what else was.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_INFER_H
#define PG_APM_INFER_H

#include "shim.h"
#include "plugin/pg_apm_plugin.h"

/* The op of a span that has none, by its attributes; data == NULL: nothing says. */
extern ApmStr infer_op(ApmStr attributes, bool is_segment);

/* The status that an HTTP status stands for; APM_STATUS_NULL: it is none. */
extern int8 infer_http_status(int32 http_status);

/* The same of a span, by the HTTP status among its attributes. */
extern int8 infer_span_status(ApmStr attributes);

#endif							/* PG_APM_INFER_H */
