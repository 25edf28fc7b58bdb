-- What takes how many bytes
SET client_min_messages = warning;
SELECT i.accepted
  FROM (SELECT extract(epoch FROM '2021-02-03 12:00:00+00'::timestamptz)) t (s),
       apm.ingest(convert_to(format(
         E'{"event_id":"%s"}\n{"type":"transaction"}\n{"transaction":"GET /","start_timestamp":%s,"timestamp":%s,'
         || '"contexts":{"trace":{"trace_id":"%s","span_id":"00000000000000aa","op":"http.server","status":"ok"}}}'
         || E'\n', md5('storage'), s, s + 1, md5('storage')), 'UTF8'), 4801) i;
RESET client_min_messages;

-- every table once, its parts add up
SELECT kind, relation, day FROM apm.storage() WHERE day = '2021-02-03' ORDER BY kind;
SELECT count(*) AS differences FROM apm.storage()
 WHERE total_bytes <> pg_total_relation_size(relation) OR heap_bytes + toast_bytes + index_bytes <> total_bytes
    OR heap_bytes < 0 OR row_count < 0;
SELECT count(*) > 20 AS many, count(*) = count(DISTINCT relation) AS each_once, count(*) FILTER (WHERE relation IS NULL) FROM apm.storage();
SELECT count(*) AS missing FROM pg_class c
 WHERE c.relkind = 'r' AND c.relnamespace IN ('apm'::regnamespace, '_apm'::regnamespace)
   AND NOT EXISTS (SELECT FROM apm.storage() s WHERE s.relation::regclass = c.oid);
-- by kind and in total
SELECT kind FROM apm.storage('kind') WHERE kind <> 'errors';
SELECT (SELECT sum(total_bytes) FROM apm.storage()) = k.total_bytes AND k.total_bytes = t.total_bytes AS total
  FROM (SELECT sum(total_bytes) AS total_bytes FROM apm.storage('kind')) k, apm.storage('total') t;
-- rows as the planner estimates them
SELECT row_count FROM apm.storage() WHERE relation = '_apm.transactions_20210203';
ANALYZE _apm.transactions_20210203;
SELECT row_count FROM apm.storage() WHERE relation = '_apm.transactions_20210203';
SELECT * FROM apm.storage('day');
SELECT * FROM apm.storage(NULL);

DELETE FROM apm.transactions WHERE project_id = 4801;
DELETE FROM _apm.span_batches WHERE project_id = 4801;
DELETE FROM apm.project_keys WHERE project_id = 4801;
DELETE FROM apm.projects WHERE project_id = 4801;
