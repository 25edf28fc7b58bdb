-- ---------------------------------------------------------------------------
-- envelope: the DSN of a project, from the keys of the store

CREATE FUNCTION apm.dsn(project_id integer, host text) RETURNS text
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN (SELECT pg_catalog.format('%s://%s@%s/%s',
                                   CASE WHEN pg_catalog.strpos(host, '://') > 0
                                        THEN pg_catalog.split_part(host, '://', 1) ELSE 'https' END,
                                   k.public_key,
                                   pg_catalog.rtrim(CASE WHEN pg_catalog.strpos(host, '://') > 0
                                                         THEN pg_catalog.substr(host, pg_catalog.strpos(host, '://') + 3)
                                                         ELSE host END, '/'),
                                   k.project_id)
            FROM apm.project_keys k
           WHERE k.project_id = dsn.project_id AND k.enabled
           ORDER BY k.created_at, k.public_key
           LIMIT 1);
COMMENT ON FUNCTION apm.dsn(integer, text) IS 'DSN to configure an SDK with: the oldest enabled key of a project at a host, which may carry a port and a scheme (https if none); NULL if there is no such key. Example: SELECT apm.dsn(1, ''apm.example.test'')';
