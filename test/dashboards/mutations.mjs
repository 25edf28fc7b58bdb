// Faults that the checks must see, each put into a copy of the dashboards.
const panel = (dashboard, title) => dashboard.panels.find((p) => p.title === title);
const sql = (dashboard, title, from, to) => {
  const target = panel(dashboard, title).targets[0];
  const changed = target.rawSql.replace(from, to);
  if (changed === target.rawSql) throw new Error(`"${title}" has no ${from}`);
  target.rawSql = changed;
};

export const mutations = {
  'a series without the column time': ({ overview }) => sql(overview, 'Throughput', 'AS "time"', 'AS moment'),
  'rows that are not in order': ({ overview }) => sql(overview, 'Duration', 'ORDER BY 1', 'ORDER BY 2'),
  'a metric that does not exist': ({ overview }) => sql(overview, 'Apdex', 'apdex()', 'abdex()'),
  'another metric': ({ overview }) => sql(overview, 'Failure rate', 'failure_rate()', 'http_error_rate()'),
  'another threshold': ({ overview }) => sql(overview, 'Apdex', 'apdex()', 'apdex(400)'),
  'another percentile': ({ overview }) => sql(overview, 'Duration', 'p95_ms AS p95', 'p75_ms AS p95'),
  'seconds for milliseconds': ({ overview }) => sql(overview, 'Slowest endpoints', 'e.p95_ms,', 'e.p95_ms / 1000 AS p95_ms,'),
  'a filter that is forgotten': ({ overview }) => sql(overview, 'Throughput', 'project_id => ${project:sqlstring}, ', ''),
  'a variable that does not exist': ({ overview }) => sql(overview, 'Throughput', '${release:sqlstring}', '${version:sqlstring}'),
  'a variable without quotes': ({ overview }) => sql(overview, 'Throughput', '${release:sqlstring}', "'$release'"),
  'an unknown macro': ({ traces }) => sql(traces, 'Slowest transactions', '$__timeFilter', '$__timefilter'),
  'two lines': ({ overview }) => sql(overview, 'Throughput', ' FROM', '\nFROM'),
  'a column without settings': ({ overview }) => sql(overview, 'Slowest endpoints', 'e.users,', 'e.users, e.miserable_users,'),
  'column names in lower case': ({ traces }) => sql(traces, 'Trace', '*', '"traceID" AS traceid, "spanID" AS spanid, "parentSpanID", "operationName", "serviceName", "startTime", duration, tags, "serviceTags"'),
  'tags as text': ({ traces }) => sql(traces, 'Trace', '*', '"traceID", "spanID", "parentSpanID", "operationName", "serviceName", "startTime", duration, tags::text, "serviceTags"'),
  'a span without an id': ({ traces }) => sql(traces, 'Trace', '*', '"traceID", nullif("spanID", max("spanID") OVER ()) AS "spanID", "parentSpanID", "operationName", "serviceName", "startTime", duration, tags, "serviceTags"'),
  'queries of no time': ({ overview }) => sql(overview, 'Slow queries', 'apm.queries($__timeFrom()', 'apm.queries($__timeTo()'),
  'a list that is cut': ({ overview }) => sql(overview, 'Caches', 'max_rows => 20', 'max_rows => 2'),
  'open incidents that are not counted': ({ overview }) => sql(overview, 'Open incidents', "'open'", "'resolved'"),
  'panels that overlap': ({ overview }) => { panel(overview, 'Apdex').gridPos.x -= 1; },
  'two panels of one id': ({ overview }) => { panel(overview, 'Apdex').id = panel(overview, 'Throughput').id; },
  'an unknown panel': ({ traces }) => { panel(traces, 'Trace').type = 'trace'; },
  'an unknown unit': ({ overview }) => { panel(overview, 'Duration').fieldConfig.defaults.unit = 'millis'; },
  'another data source': ({ overview }) => { panel(overview, 'Duration').datasource = { type: 'prometheus', uid: 'x' }; },
  'an older schema': ({ overview }) => { overview.schemaVersion = 41; },
  'All that is not NULL': ({ overview }) => { overview.templating.list[1].allValue = "'All'"; },
  'steps too fine for a week': ({ overview }) => { panel(overview, 'Duration').maxDataPoints = 1000; },
  'a link into nothing': ({ overview }) => { overview.links[0].url = '/d/elsewhere?x'; },
};
