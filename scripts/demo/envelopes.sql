-- Bodies of requests that released SDKs sent, and some that are broken on purpose.
CREATE TABLE body_files (file text, sdk text, body bytea);
COPY body_files (file, sdk) FROM :'list';
UPDATE body_files SET body = pg_read_binary_file(:'dir' || '/' || file);

SELECT * FROM apm.create_project('captured envelopes', 1);

CREATE TABLE body_results AS
SELECT f.sdk, f.file, r.accepted, r.rejected, r.skipped, r.problems
  FROM (SELECT array_agg(body ORDER BY file) AS bodies, array_agg(1) AS projects, array_agg(now()) AS times FROM body_files) a,
       apm.ingest_batch(bodies, projects, times) WITH ORDINALITY AS r (event_id, accepted, rejected, skipped, problems, n)
  JOIN (SELECT sdk, file, row_number() OVER (ORDER BY file) AS n FROM body_files) f USING (n);

SELECT sdk, count(*) AS files, sum(accepted) AS accepted, sum(rejected) AS rejected, sum(skipped) AS skipped,
       (SELECT string_agg(DISTINCT p ->> 'reason', ', ')
          FROM body_results x, jsonb_array_elements(x.problems) p
         WHERE x.sdk = r.sdk AND p ->> 'outcome' = 'rejected') AS rejected_because
  FROM body_results r GROUP BY sdk ORDER BY sdk;
