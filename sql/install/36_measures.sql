-- ---------------------------------------------------------------------------
-- measures: Apdex, failures, misery and other aggregates over plain columns
--
-- States are arrays of counters or apm.hll, never internal.  Transition
-- functions are not STRICT; finals leave the state alone, so that aggregates
-- with equal arguments share one.

CREATE FUNCTION _apm.counters_combine(bigint[], bigint[]) RETURNS bigint[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _apm.share_final(bigint[]) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION _apm.share_hits_final(bigint[]) RETURNS bigint
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION _apm.apdex_accum(bigint[], float8) RETURNS bigint[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _apm.apdex_accum(bigint[], float8, float8) RETURNS bigint[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _apm.apdex_final(bigint[]) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE AGGREGATE apm.apdex(duration_ms float8) (
  SFUNC = _apm.apdex_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0,0}',
  FINALFUNC = _apm.apdex_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.apdex(float8) IS 'Apdex with a threshold of 300 ms, a ratio from 0 to 1: (durations up to T plus half of those up to 4 T) / all; durations that are NULL, NaN or below 0 do not count; NULL if there is none. Example: SELECT name, apm.apdex(duration_ms) FROM apm.transactions GROUP BY name';

CREATE AGGREGATE apm.apdex(duration_ms float8, threshold_ms float8) (
  SFUNC = _apm.apdex_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0,0}',
  FINALFUNC = _apm.apdex_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.apdex(float8, float8) IS 'Apdex with a threshold T in milliseconds, which may differ from row to row, a ratio from 0 to 1: (durations up to T plus half of those up to 4 T) / all; rows without duration or threshold do not count; NULL if there is none. Example: SELECT name, apm.apdex(duration_ms, 500) FROM apm.transactions GROUP BY name';

CREATE FUNCTION _apm.failure_accum(bigint[], apm.span_status) RETURNS bigint[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE AGGREGATE apm.failure_rate(status apm.span_status) (
  SFUNC = _apm.failure_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0}',
  FINALFUNC = _apm.share_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.failure_rate(apm.span_status) IS 'Share of rows whose status is neither ok nor cancelled nor unknown, a ratio from 0 to 1; a row without status counts among all and is no failure; NULL if there is no row. Example: SELECT name, apm.failure_rate(status) FROM apm.transactions GROUP BY name';

CREATE AGGREGATE apm.failure_count(status apm.span_status) (
  SFUNC = _apm.failure_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0}',
  FINALFUNC = _apm.share_hits_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.failure_count(apm.span_status) IS 'Number of rows whose status is neither ok nor cancelled nor unknown, a count; NULL if there is no row. Example: SELECT name, apm.failure_count(status) FROM apm.transactions GROUP BY name';

CREATE FUNCTION _apm.failure_accum(bigint[], apm.span_status, float8) RETURNS bigint[]
  AS 'MODULE_PATHNAME', 'failure_accum_weighted' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE AGGREGATE apm.failure_rate(status apm.span_status, weight float8) (
  SFUNC = _apm.failure_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0}',
  FINALFUNC = _apm.share_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.failure_rate(apm.span_status, float8) IS 'Failure rate of sampled rows, each standing for its weight (in steps of 0.001, NULL is 1), a ratio from 0 to 1; NULL if the weights add up to 0. Example: SELECT name, apm.failure_rate(status, weight) FROM apm.transactions GROUP BY name';

CREATE FUNCTION _apm.failure_accum(bigint[], apm.span_status, float8, apm.span_status[]) RETURNS bigint[]
  AS 'MODULE_PATHNAME', 'failure_accum_weighted' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _apm.failure_accum(bigint[], apm.span_status, apm.span_status[]) RETURNS bigint[]
  AS 'MODULE_PATHNAME', 'failure_accum_listed' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE AGGREGATE apm.failure_rate(status apm.span_status, weight float8, failing apm.span_status[]) (
  SFUNC = _apm.failure_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0}',
  FINALFUNC = _apm.share_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.failure_rate(apm.span_status, float8, apm.span_status[]) IS 'Share of rows whose status is one of a list (NULL: all but ok, cancelled and unknown), each standing for its weight (NULL is 1), a ratio from 0 to 1; a row without status counts among all and is no failure; NULL if there is no row. Example: SELECT name, apm.failure_rate(status, NULL, ''{internal_error,unavailable}'') FROM apm.transactions GROUP BY name';

CREATE AGGREGATE apm.failure_count(status apm.span_status, failing apm.span_status[]) (
  SFUNC = _apm.failure_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0}',
  FINALFUNC = _apm.share_hits_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.failure_count(apm.span_status, apm.span_status[]) IS 'Number of rows whose status is one of a list (NULL: all but ok, cancelled and unknown), a count; NULL if there is no row. Example: SELECT name, apm.failure_count(status, ''{internal_error,unavailable}'') FROM apm.transactions GROUP BY name';

CREATE FUNCTION _apm.apdex_accum(bigint[], float8, float8, float8) RETURNS bigint[]
  AS 'MODULE_PATHNAME', 'apdex_accum_weighted' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE AGGREGATE apm.apdex(duration_ms float8, threshold_ms float8, weight float8) (
  SFUNC = _apm.apdex_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0,0}',
  FINALFUNC = _apm.apdex_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.apdex(float8, float8, float8) IS 'Apdex of sampled rows, each standing for its weight (in steps of 0.001, NULL is 1), with a threshold in milliseconds, a ratio from 0 to 1; NULL if the weights add up to 0. Example: SELECT name, apm.apdex(duration_ms, 300, weight) FROM apm.transactions GROUP BY name';

CREATE FUNCTION _apm.share_accum(bigint[], boolean) RETURNS bigint[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE AGGREGATE apm.share(hit boolean) (
  SFUNC = _apm.share_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0}',
  FINALFUNC = _apm.share_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.share(boolean) IS 'Share of true among true and false, a ratio from 0 to 1; NULLs do not count; NULL if there is nothing else. Example: SELECT apm.share(duration_ms > 1000) FROM apm.transactions';

CREATE FUNCTION _apm.share_misses_final(bigint[]) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE AGGREGATE apm.cache_miss_rate(hit boolean) (
  SFUNC = _apm.share_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0}',
  FINALFUNC = _apm.share_misses_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.cache_miss_rate(boolean) IS 'Share of misses among cache reads whose outcome is known, a ratio from 0 to 1; NULL if none is. Example: SELECT apm.cache_miss_rate((attributes->>''cache.hit'')::boolean) FROM apm.spans WHERE op = ''cache.get''';

CREATE FUNCTION _apm.status_accum(bigint[], apm.span_status, apm.span_status) RETURNS bigint[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE AGGREGATE apm.trace_status_rate(status apm.span_status, wanted apm.span_status) (
  SFUNC = _apm.status_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0}',
  FINALFUNC = _apm.share_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.trace_status_rate(apm.span_status, apm.span_status) IS 'Share of rows that have one status, a ratio from 0 to 1; rows without status count among all; NULL if there is no row. Example: SELECT apm.trace_status_rate(status, ''not_found'') FROM apm.transactions';

CREATE FUNCTION _apm.http_class_accum(bigint[], integer, integer) RETURNS bigint[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE AGGREGATE apm.http_response_rate(http_status integer, class integer) (
  SFUNC = _apm.http_class_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0}',
  FINALFUNC = _apm.share_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.http_response_rate(integer, integer) IS 'Share of one class of HTTP statuses (5: 500 to 599) among rows that have a status, a ratio from 0 to 1; NULL if none has one. Example: SELECT name, apm.http_response_rate(http_status, 5) FROM apm.transactions GROUP BY name';

CREATE FUNCTION _apm.misery_accum(apm.hll, text, float8) RETURNS apm.hll
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
CREATE FUNCTION _apm.misery_accum(apm.hll, text, float8, float8) RETURNS apm.hll
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;

CREATE FUNCTION apm.misery(users apm.hll) RETURNS float8
  AS 'MODULE_PATHNAME', 'misery_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION apm.misery(apm.hll) IS 'User misery of a stored set of users in which the miserable ones are marked, a ratio from 0 to 1; NULL without users. Example: SELECT apm.misery(apm.hll_agg(user_key, duration_ms > 1200)) FROM apm.transactions';

CREATE FUNCTION apm.misery_score(miserable bigint, users bigint, alpha float8 DEFAULT 5.8875, beta float8 DEFAULT 111.8625) RETURNS float8
  AS 'MODULE_PATHNAME', 'misery_score_scalar' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.misery_score(bigint, bigint, float8, float8) IS 'User misery from two counts, (miserable + alpha) / (users + alpha + beta), a ratio from 0 to 1; NULL without users. Example: SELECT apm.misery_score(10, 100)';

-- The state itself, for what else is asked of it.
CREATE AGGREGATE _apm.misery_agg(user_key text, duration_ms float8, threshold_ms float8) (
  SFUNC = _apm.misery_accum, STYPE = apm.hll, SSPACE = 2048,
  FINALFUNC = _apm.hll_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.hll_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE _apm.misery_agg(text, float8, float8) IS 'Users, the miserable ones marked. Example: SELECT apm.standard_error(_apm.misery_agg(user_key, duration_ms, 300)) FROM apm.transactions';

CREATE AGGREGATE apm.user_misery(user_key text, duration_ms float8) (
  SFUNC = _apm.misery_accum, STYPE = apm.hll, SSPACE = 2048,
  FINALFUNC = apm.misery, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.hll_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.user_misery(text, float8) IS 'User misery with a threshold of 300 ms, a ratio from 0 to 1: (users with a duration over 1200 ms + 5.8875) / (users with a duration above 0 + 117.75); users exact up to 4,096; NULL without users. Example: SELECT name, apm.user_misery(user_key, duration_ms) FROM apm.transactions GROUP BY name';

CREATE AGGREGATE apm.user_misery(user_key text, duration_ms float8, threshold_ms float8) (
  SFUNC = _apm.misery_accum, STYPE = apm.hll, SSPACE = 2048,
  FINALFUNC = apm.misery, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.hll_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.user_misery(text, float8, float8) IS 'User misery with a threshold T in milliseconds, a ratio from 0 to 1: (users with a duration over 4 T + 5.8875) / (users with a duration above 0 + 117.75); users exact up to 4,096; NULL without users. Example: SELECT name, apm.user_misery(user_key, duration_ms, 500) FROM apm.transactions GROUP BY name';

CREATE AGGREGATE apm.count_miserable(user_key text, duration_ms float8) (
  SFUNC = _apm.misery_accum, STYPE = apm.hll, SSPACE = 2048,
  FINALFUNC = apm.marked_count, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.hll_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.count_miserable(text, float8) IS 'Number of distinct users with a duration over 1200 ms, a count, exact for up to 4,096 users; NULL without users. Example: SELECT name, apm.count_miserable(user_key, duration_ms) FROM apm.transactions GROUP BY name';

CREATE AGGREGATE apm.count_miserable(user_key text, duration_ms float8, threshold_ms float8) (
  SFUNC = _apm.misery_accum, STYPE = apm.hll, SSPACE = 2048,
  FINALFUNC = apm.marked_count, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.hll_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.count_miserable(text, float8, float8) IS 'Number of distinct users with a duration over four times the threshold in milliseconds, a count, exact for up to 4,096 users; NULL without users. Example: SELECT name, apm.count_miserable(user_key, duration_ms, 500) FROM apm.transactions GROUP BY name';

-- --- web vitals ------------------------------------------------------------

CREATE FUNCTION apm.web_vital_rating(vital text, v float8) RETURNS text
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 8;
COMMENT ON FUNCTION apm.web_vital_rating(text, float8) IS 'good, meh or poor for a value of lcp, fcp, fp, fid, inp or ttfb in milliseconds, or of cls without unit; NULL for a negative value. Example: SELECT apm.web_vital_rating(''lcp'', 2500)';

CREATE FUNCTION apm.vital_score(vital text, v float8, browser text DEFAULT NULL) RETURNS float8
  AS 'MODULE_PATHNAME', 'web_vital_score' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 15;
COMMENT ON FUNCTION apm.vital_score(text, float8, text) IS 'Score of one web vital, a ratio from 0 to 1 on a log-normal curve; browsers on phones have curves of their own; v in milliseconds, for cls without unit; NULL for fp, which has no curve. Example: SELECT apm.vital_score(''lcp'', 2400)';

CREATE FUNCTION apm.performance_score(measurements jsonb, browser text DEFAULT NULL) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION apm.performance_score(jsonb, text) IS 'Performance score of one event, a ratio from 0 to 1: mean of the scores of its web vitals by weight, or the score that was stored with them; NULL if it has none. Example: SELECT apm.performance_score(measurements, contexts->''browser''->>''name'') FROM apm.transactions';

CREATE FUNCTION apm.performance_scores(measurements jsonb, browser text DEFAULT NULL,
    OUT vital text, OUT weight float8, OUT ratio float8, OUT score float8) RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100 ROWS 4;
COMMENT ON FUNCTION apm.performance_scores(jsonb, text) IS 'The parts of apm.performance_score, ratios from 0 to 1: weight of each web vital, its own score (ratio), and weight times ratio (score); the scores add up to the total. Example: SELECT * FROM apm.performance_scores(''{"lcp": {"value": 2500}, "ttfb": {"value": 600}}'', ''Chrome'')';

CREATE FUNCTION apm.page_score(lcp float8 DEFAULT NULL, fcp float8 DEFAULT NULL, cls float8 DEFAULT NULL,
    ttfb float8 DEFAULT NULL, inp float8 DEFAULT NULL) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION apm.page_score(float8, float8, float8, float8, float8) IS 'Score of a page from the mean scores of its web vitals, all ratios from 0 to 1; a vital that is NULL is left out; NULL if all are. Example: SELECT apm.page_score(lcp => 0.9, inp => 0.5)';

CREATE FUNCTION apm.log_normal_score(v float8, p10 float8, p50 float8) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 8;
COMMENT ON FUNCTION apm.log_normal_score(float8, float8, float8) IS 'Score of a value on a log-normal curve that is 0.9 at p10 and 0.5 at p50, a ratio from 0 to 1; all three in one unit. Example: SELECT apm.log_normal_score(1800, 1200, 2400)';

CREATE FUNCTION apm.score_rating(score float8) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 150
  RETURN CASE WHEN score BETWEEN 0 AND 1 THEN
           CASE WHEN score >= 0.9 THEN 'good' WHEN score >= 0.5 THEN 'meh' ELSE 'poor' END END;
COMMENT ON FUNCTION apm.score_rating(float8) IS 'good, meh or poor for a score, which is a ratio from 0 to 1: good from 0.9, meh from 0.5; NULL for anything else. Example: SELECT transaction_name, apm.score_rating(score) FROM apm.pages()';

-- Curves of a phone; all four weigh the same, so the mean of those present.
CREATE FUNCTION apm.app_score(measurements jsonb) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 500
  RETURN (SELECT avg(apm.log_normal_score(apm.measurement(measurements, c.name), c.p10, c.p50))
            FROM (VALUES ('time_to_initial_display', 1800::float8, 3000::float8), ('time_to_full_display', 2500, 4000),
                         ('app_start_warm', 200, 500), ('app_start_cold', 200, 500)) c (name, p10, p50));
COMMENT ON FUNCTION apm.app_score(jsonb) IS 'Performance score of one screen of an app on a phone, a ratio from 0 to 1: mean of the scores of its times to initial and full display and of its warm or cold start; NULL if it has none. Example: SELECT apm.app_score(measurements) FROM apm.transactions WHERE op = ''ui.load''';

CREATE FUNCTION _apm.vital_accum(bigint[], float8, text, text) RETURNS bigint[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

CREATE AGGREGATE apm.count_web_vitals(v float8, vital text, quality text) (
  SFUNC = _apm.vital_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0}',
  FINALFUNC = _apm.share_hits_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.count_web_vitals(float8, text, text) IS 'Number of values of a web vital that are good, meh, poor or any, a count; NULL if there is no value. Example: SELECT apm.count_web_vitals(apm.measurement(measurements, ''lcp''), ''lcp'', ''good'') FROM apm.transactions';
