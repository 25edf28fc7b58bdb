-- Web vitals: ratings, scores, pages.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT vital, array_agg(v || ' ' || apm.web_vital_rating(vital, v) ORDER BY v) AS ratings
  FROM (VALUES ('lcp', '{0,2499,2500,3999,4000}'::float8[]), ('fcp', '{999,1000,2999,3000}'), ('fp', '{999,1000,3000}'), ('fid', '{99,100,299,300}'),
               ('cls', '{0,0.0999,0.1,0.2499,0.25}'), ('inp', '{200,201,500,501}'), ('ttfb', '{800,801,1800,1801,1e300}')) r (vital, vs), unnest(vs) v
 GROUP BY vital ORDER BY vital;
SELECT apm.web_vital_rating('lcp', -1) IS NULL AS negative, apm.web_vital_rating('lcp', 'NaN') IS NULL AS nan, apm.web_vital_rating('lcp', NULL) IS NULL AS missing;
SELECT apm.web_vital_rating('lpc', 1);
SELECT apm.web_vital_rating('speed', 1);

-- scores of single values
SELECT vital, v, apm.vital_score(vital, v)::numeric(8, 6) AS score
  FROM (VALUES ('lcp', 1200::float8), ('lcp', 2400), ('lcp', 2500), ('lcp', 4000), ('fcp', 1000), ('cls', 0.05), ('ttfb', 600), ('inp', 350), ('lcp', 0), ('lcp', -5)) s (vital, v);
-- the control points of every curve, on a desktop and on a phone
SELECT vital, apm.vital_score(vital, d10)::numeric(6, 4) AS d10, apm.vital_score(vital, d50)::numeric(6, 4) AS d50,
       apm.vital_score(vital, m10, 'Mobile Safari')::numeric(6, 4) AS m10, apm.vital_score(vital, m50, 'Chrome Mobile')::numeric(6, 4) AS m50
  FROM (VALUES ('fcp', 900::float8, 1600::float8, 1800::float8, 3000::float8), ('lcp', 1200, 2400, 2500, 4000), ('cls', 0.1, 0.25, 0.1, 0.25),
               ('ttfb', 200, 400, 800, 1800), ('inp', 200, 500, 200, 500)) c (vital, d10, d50, m10, m50);
SELECT apm.vital_score('fp', 1000) IS NULL AS no_curve, apm.vital_score('lcp', NULL) IS NULL AS no_value, apm.log_normal_score(1800, 1000, 3000)::numeric(8, 6) AS own;
SELECT apm.log_normal_score(1, 3, 2);

-- scores of events
SELECT * FROM apm.performance_scores('{"fcp": {"value": 1000}, "lcp": {"value": 2500}, "cls": {"value": 0.05}, "ttfb": {"value": 600}}', 'Chrome');
SELECT apm.performance_score('{"fcp": {"value": 1000}, "lcp": {"value": 2500}, "cls": {"value": 0.05}, "ttfb": {"value": 600}}', 'Chrome')::numeric(8, 6) AS chrome,
       apm.performance_score('{"lcp": 2500, "ttfb": 600}')::numeric(8, 6) AS two_vitals,
       apm.performance_score('{"lcp": 2500, "ttfb": 1800}', 'Chrome Mobile')::numeric(8, 6) AS phone,
       apm.performance_score('{"inp": 200}', 'Google Chrome')::numeric(8, 6) AS interaction,
       apm.performance_score('{"inp": 200, "lcp": 2400}')::numeric(8, 6) AS page_first;
-- browsers without lcp or cls leave them out, unless there is nothing else
SELECT browser, array_agg(vital ORDER BY vital) AS vitals, sum(weight)::numeric(6, 4) AS weights
  FROM unnest('{Chrome,Firefox,Safari,Mobile Safari,Firefox Mobile,Unheard Of}'::text[]) browser,
       LATERAL apm.performance_scores('{"fcp": 1000, "lcp": 2500, "cls": 0.05, "ttfb": 600, "inp": 100, "fid": 3}', browser) GROUP BY browser ORDER BY browser COLLATE "C";
SELECT vital, weight FROM apm.performance_scores('{"lcp": 2400}', 'Safari');
SELECT apm.performance_score('{"fp": 1}') IS NULL AS only_fp, apm.performance_score('{}') IS NULL AS empty, apm.performance_score(NULL) IS NULL AS missing,
       apm.performance_score('[1]') IS NULL AS array, apm.performance_score('{"lcp": "fast"}') IS NULL AS text, apm.performance_score('{"lcp": {"unit": "ms"}}') IS NULL AS no_value;
SELECT apm.page_score(0.9, 0.8, 0.7, 0.6, 0.5)::numeric(8, 6) AS all_five, (0.3 * 0.9 + 0.15 * 0.8 + 0.15 * 0.7 + 0.1 * 0.6 + 0.3 * 0.5)::numeric(8, 6) AS truth,
       apm.page_score(lcp => 0.9, inp => 0.5)::numeric(8, 6) AS two, apm.page_score() IS NULL AS none;

SELECT s, apm.score_rating(s) FROM unnest('{0,0.49,0.5,0.89,0.9,1,1.01,-0.1,NaN,NULL}'::float8[]) s;
-- apps: the control points of every curve, alone and together; what is no number, or is missing, does not count
SELECT name, apm.app_score(jsonb_build_object(name, p10))::numeric(8, 6) AS p10, apm.app_score(jsonb_build_object(name, jsonb_build_object('value', p50, 'unit', 'millisecond')))::numeric(8, 6) AS p50
  FROM (VALUES ('time_to_initial_display', 1800, 3000), ('time_to_full_display', 2500, 4000), ('app_start_warm', 200, 500), ('app_start_cold', 200, 500)) c (name, p10, p50);
SELECT apm.app_score('{"time_to_initial_display": 1800, "time_to_full_display": 4000, "app_start_cold": 500, "app_start_warm": "fast", "lcp": 1}')::numeric(8, 6) AS three,
       ((0.9 + 0.5 + 0.5) / 3)::numeric(8, 6) AS truth, apm.app_score('{"lcp": 1}') IS NULL AS none, apm.app_score(NULL) IS NULL AS missing;

SELECT apm.measurement('{"a": {"value": 1.5, "unit": "x"}, "b": 2, "c": "3", "d": null, "e": {"value": "4"}, "f": 1e400}', k) AS value, k FROM unnest('{a,b,c,d,e,f,g}'::text[]) k;

-- counts by quality
SELECT q, apm.count_web_vitals(v, 'lcp', q) FROM (VALUES (0::float8), (2499), (2500), (3999), (4000), (-1), (NULL)) t (v), unnest('{good,meh,poor,any}'::text[]) q GROUP BY q ORDER BY q;
SELECT apm.count_web_vitals(v, 'lcp', 'good') IS NULL AS nothing FROM (VALUES (NULL::float8), (-1)) t (v);
SELECT apm.count_web_vitals(1, 'lcp', 'great');
SELECT apm.count_web_vitals(1, 'lpc', 'good');

-- pages: score and opportunity, against the definition
BEGIN;
CREATE TABLE scores_part PARTITION OF apm.transactions FOR VALUES FROM ('2011-04-01') TO ('2011-04-02');
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, op, start_time, end_time, duration_ms, measurements)
  SELECT 4500, lpad(to_hex(i), 32, '0')::apm.trace_id, lpad(to_hex(i), 16, '0')::apm.span_id, '/page' || i % 3, 'pageload',
         '2011-04-01 12:00+00', '2011-04-01 12:00+00', 0,
         CASE WHEN i % 4 > 0 THEN jsonb_build_object('lcp', i * 37 % 5000) ELSE '{}' END || CASE WHEN i % 5 > 0 AND i % 3 < 2 THEN jsonb_build_object('cls', i % 60 / 100.0) ELSE '{}' END
    FROM generate_series(1, 300) i;
WITH r AS (SELECT t.name, v.vital, v.weight, apm.vital_score(vital, (measurements ->> vital)::float8) AS ratio
             FROM scores_part t, (VALUES ('lcp', 0.3::float8), ('cls', 0.15)) v (vital, weight) WHERE measurements ? vital),
     opportunity AS (SELECT name, sum((1 - ratio) / (SELECT count(*) FROM r b WHERE b.vital = r.vital) * weight) / 0.45 AS opportunity FROM r GROUP BY name),
     score AS (SELECT name, sum(weight * ratio) / sum(weight) AS score FROM (SELECT name, vital, weight, avg(ratio) AS ratio FROM r GROUP BY 1, 2, 3) a GROUP BY name)
SELECT p.transaction_name, p.samples, p.score::numeric(8, 6), p.opportunity::numeric(8, 6), p.cls_score IS NULL AS no_cls, p.inp_score IS NULL AS no_inp,
       abs(p.score - s.score) < 1e-8 AS score_right, abs(p.opportunity - o.opportunity) < 1e-8 AS opportunity_right
  FROM apm.pages('2011-04-01', '2011-04-02') p JOIN score s ON s.name = p.transaction_name JOIN opportunity o ON o.name = p.transaction_name;
SELECT count(*) FROM apm.pages('2011-04-01', '2011-04-02', max_rows => 1);
SELECT count(*) FROM apm.pages('2011-04-01', '2011-04-02', project_id => 1);
SELECT count(*) >= 0 AS works FROM apm.pages();
ROLLBACK;
