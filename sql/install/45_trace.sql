-- ---------------------------------------------------------------------------
-- trace: one trace as rows and as text

CREATE FUNCTION apm.trace(
    trace_id apm.trace_id,
    OUT ordinal integer,
    OUT depth integer,
    OUT kind text,
    OUT project_id integer,
    OUT transaction_name text,
    OUT span_id apm.span_id,
    OUT parent_span_id apm.span_id,
    OUT segment_id apm.span_id,
    OUT is_segment boolean,
    OUT op text,
    OUT description text,
    OUT status apm.span_status,
    OUT start_time timestamptz,
    OUT offset_ms float8,
    OUT duration_ms float8,
    OUT self_time_ms float8,
    OUT is_orphan boolean,
    OUT errors integer)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'trace_rows' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 100;
COMMENT ON FUNCTION apm.trace(apm.trace_id) IS 'Spans of a trace in waterfall order (ordinal, from 1): roots by start, each followed by its children depth first, siblings by start, then orphans (is_orphan: the parent is not in the trace, or leads in a circle). depth counts from 0. Times in milliseconds: offset_ms since the first start, duration_ms, self_time_ms without the children of the same service. errors counts the events of apm.errors that name the span; one that names no span of the trace is a row of kind ''error''. No row for an unknown trace. Example: SELECT repeat(''  '', depth) || op, description, duration_ms FROM apm.trace(''4bf92f3577b34da6a3ce929d0e0e4736'') ORDER BY ordinal';

CREATE FUNCTION apm.waterfall(trace_id apm.trace_id, width integer DEFAULT 100)
  RETURNS SETOF text
  AS 'MODULE_PATHNAME', 'trace_waterfall' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 100;
COMMENT ON FUNCTION apm.waterfall(apm.trace_id, integer) IS 'A trace as text, width columns wide (40 to 400): a line for each span with its duration in ms, s, m, h, d or y and a bar, failed statuses and errors marked with a cross, times of 100 ms and more without any span between two siblings shaded. Example: SELECT apm.waterfall(''4bf92f3577b34da6a3ce929d0e0e4736'', 120)';

CREATE FUNCTION apm.trace_bounds(trace_id apm.trace_id, OUT first_end_time timestamptz, OUT last_end_time timestamptz)
  AS 'MODULE_PATHNAME', 'trace_bounds_of_spans' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION apm.trace_bounds(apm.trace_id) IS 'First and last segment_end_time of a trace, found without planning for every day; NULL for an unknown trace. With them a query of apm.spans prunes. Example: SELECT first_end_time, last_end_time FROM apm.trace_bounds(''4bf92f3577b34da6a3ce929d0e0e4736'')';
