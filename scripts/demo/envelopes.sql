\echo '-- Bodies of requests that released SDKs sent, and some made by hand to be refused'
CREATE TABLE body_files (file text, sdk text, body bytea);
COPY body_files (file, sdk) FROM :'list';
UPDATE body_files SET body = pg_read_binary_file(:'dir' || '/' || file);

SELECT * FROM apm.create_project('captured envelopes', 1);

CREATE TABLE body_results AS
SELECT f.sdk, f.file, r.accepted, r.rejected, r.skipped, r.problems
  FROM (SELECT array_agg(body ORDER BY file) AS bodies, array_agg(1) AS projects, array_agg(now()) AS times FROM body_files) a,
       apm.ingest_batch(bodies, projects, times) WITH ORDINALITY AS r (event_id, accepted, rejected, skipped, problems, n)
  JOIN (SELECT sdk, file, row_number() OVER (ORDER BY file) AS n FROM body_files) f USING (n);

\echo '-- Items by SDK; kinds that are not decoded, such as replays and logs, are skipped and counted'
SELECT sdk, count(*) AS files, sum(accepted) AS accepted, sum(rejected) AS rejected, sum(skipped) AS skipped
  FROM body_results GROUP BY sdk ORDER BY sdk;

\echo '-- What was rejected, and why'
SELECT sdk, p ->> 'type' AS item, p ->> 'reason' AS reason, p ->> 'detail' AS detail, sum((p ->> 'quantity')::int) AS times, min(file) AS for_example
  FROM body_results, jsonb_array_elements(problems) p
 WHERE p ->> 'outcome' = 'rejected'
 GROUP BY 1, 2, 3, 4 ORDER BY sdk DESC, reason, item;
