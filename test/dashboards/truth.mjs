// The values that the panels show, against SQL that shares nothing with the
// functions they call: count, avg and percentile_cont over plain rows.
import { intervalOf } from './grafana.mjs';
import { panelsOf } from './contract.mjs';
import { rows, runPanels, values } from './run.mjs';

const at = (ms) => `'${new Date(ms).toISOString()}'::timestamptz`;
const close = (a, b, part) => a === b || (a !== null && b !== null && Math.abs(a - b) <= part * Math.abs(b) + 1e-9);

// A list of what differs between two lists of objects, by key; parts says how
// far a column may be off, 0 where it is not named.
function* differences(what, got, wanted, key, parts) {
  const byKey = new Map(wanted.map((row) => [key(row), row]));
  if (got.length !== wanted.length) yield `${what}: ${got.length} rows, not ${wanted.length}`;
  for (const row of got) {
    const other = byKey.get(key(row));
    if (!other) { yield `${what}: ${key(row)} should not be there`; continue; }
    for (const [name, value] of Object.entries(other)) {
      const equal = typeof value === 'number' ? close(row[name], value, parts[name] ?? 0) : row[name] === value;
      if (!equal) yield `${what}, ${key(row)}: ${name} is ${row[name]}, not ${value}`;
    }
  }
}

const FAILED = "status NOT IN ('ok', 'cancelled', 'unknown')";

async function* seriesProblems({ ask, overview, day }, frames) {
  const panel = panelsOf(overview).find((p) => p.title === 'Throughput');
  const step = intervalOf(panel, day).intervalMs;
  const wanted = await ask(`SELECT floor(extract(epoch FROM end_time) * 1000 / ${step})::float8 * ${step} AS ms, count(*)::int AS n,
      (avg((${FAILED})::int))::float8 AS failure_rate,
      ((count(*) FILTER (WHERE duration_ms <= 300) + 0.5 * count(*) FILTER (WHERE duration_ms > 300 AND duration_ms <= 1200)) / count(*))::float8 AS apdex,
      percentile_cont(0.50) WITHIN GROUP (ORDER BY duration_ms) AS p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95,
      percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99
    FROM apm.transactions WHERE end_time >= ${at(day.from)} AND end_time < ${at(day.to)} GROUP BY 1`);
  const byTime = new Map(wanted.map((r) => [r.ms, r]));
  const pairs = [['Transactions', 'transactions', 'n', 0], ['Failure rate', 'failure rate', 'failure_rate', 1e-9], ['Apdex', 'Apdex', 'apdex', 1e-9],
    ['Duration', 'p50', 'p50', 0.01], ['Duration', 'p95', 'p95', 0.01], ['Duration', 'p99', 'p99', 0.01]];
  for (const [title, name, column, part] of pairs) {
    const times = values(frames[title], 'time');
    let found = 0;
    for (const [i, value] of values(frames[title], name).entries()) {
      const row = byTime.get(times[i]);
      if (row) found++;
      const other = row ? row[column] : name === 'transactions' ? 0 : null;
      if (!close(value, other, part)) yield `"${title}": ${name} at ${new Date(times[i]).toISOString()} is ${value}, not ${other}`;
    }
    if (found !== wanted.length) yield `"${title}": ${found} of ${wanted.length} buckets`;
  }
  // A rate divides by the part of the bucket that lies in the window.
  for (const [i, value] of values(frames.Throughput, 'throughput').entries()) {
    const from = values(frames.Throughput, 'time')[i];
    const minutes = (Math.min(from + step, day.to) - Math.max(from, day.from)) / 60000;
    if (!close(value ?? 0, (byTime.get(from)?.n ?? 0) / minutes, 1e-9)) yield `"Throughput" at ${new Date(from).toISOString()} is ${value}`;
  }
  const failed = wanted.reduce((sum, r) => sum + Math.round(r.failure_rate * r.n), 0);
  const shown = values(frames['Failed transactions'], 'failed').reduce((a, b) => a + b, 0);
  if (shown !== failed || failed === 0) yield `${shown} of ${failed} failed transactions`;
}

async function* endpointProblems({ ask, day }, frames) {
  const wanted = await ask(`SELECT project_id, (SELECT p.name FROM apm.projects p WHERE p.project_id = t.project_id) AS project, name AS transaction_name, op,
      count(*)::int AS transactions, (count(*) / 1440.0)::float8 AS epm,
      percentile_cont(0.50) WITHIN GROUP (ORDER BY duration_ms) AS p50_ms, percentile_cont(0.75) WITHIN GROUP (ORDER BY duration_ms) AS p75_ms,
      percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_ms, percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99_ms,
      (avg((${FAILED})::int))::float8 AS failure_rate, nullif(count(DISTINCT user_key), 0)::int AS users, sum(duration_ms) AS total_ms
    FROM apm.transactions t WHERE end_time >= ${at(day.from)} AND end_time < ${at(day.to)} GROUP BY 1, 2, 3, 4`);
  const got = rows(frames['Slowest endpoints']);
  const slowest = (list) => list.map((r) => r.p95_ms).sort((a, b) => b - a);
  if (got.length !== Math.min(25, wanted.length)) yield `${got.length} endpoints of ${wanted.length}`;
  if (got.some((r, i) => i > 0 && r.p95_ms > got[i - 1].p95_ms)) yield 'endpoints are not in order';
  if (!slowest(got).every((v, i) => close(v, slowest(wanted)[i], 0.02))) yield 'not the slowest endpoints';
  const key = (r) => `${r.project_id} ${r.transaction_name} ${r.op}`;
  const keys = new Set(got.map(key));
  yield* differences('endpoints', got, wanted.filter((r) => keys.has(key(r))), key,
    { epm: 1e-9, p50_ms: 0.01, p75_ms: 0.01, p95_ms: 0.01, p99_ms: 0.01, failure_rate: 1e-9, total_ms: 1e-9 });
}

async function* vitalProblems({ ask, day }, frames) {
  const wanted = await ask(`WITH v AS (
      SELECT upper(m.key) AS vital, coalesce(m.value ->> 'value', m.value #>> '{}')::float8 AS value
        FROM apm.transactions, jsonb_each(measurements) m
       WHERE m.key IN ('lcp', 'inp', 'cls', 'fcp', 'ttfb', 'fid', 'fp') AND end_time >= ${at(day.from)} AND end_time < ${at(day.to)})
    SELECT vital, count(*)::int AS samples, percentile_cont(0.75) WITHIN GROUP (ORDER BY value) AS p75 FROM v GROUP BY 1`);
  const got = rows(frames['Web vitals']);
  if (got.length < 4) yield `${got.length} web vitals`;
  yield* differences('web vitals', got, wanted, (r) => r.vital, { p75: 0.01 });
  for (const r of got) if (r.good + r.meh + r.poor !== r.samples) yield `${r.vital}: good, meh and poor are not all`;
}

// Lists that have the most self time first, by their place.
async function* spanProblems({ ask, day }, frames) {
  const lists = {
    'Slow queries': ['coalesce(span_group, description)', "category = 'db'", 'count(*)::int AS queries', ['p50_ms', 'p95_ms', 'total_ms']],
    'Outgoing requests': ['category', "op = 'http.client'", 'count(*)::int AS requests', ['p50_ms', 'p95_ms']],
    Caches: ['transaction_name, op', "category = 'cache'", `transaction_name, op, count(*)::int AS operations,
      (count(*) FILTER (WHERE attributes @> '{"cache.hit": false}')::float8 / nullif(count(*) FILTER (WHERE attributes ? 'cache.hit'), 0)) AS miss_rate`, ['p95_ms']],
    Queues: ["attributes ->> 'messaging.destination.name'", "category = 'queue'", `attributes ->> 'messaging.destination.name' AS destination,
      count(*) FILTER (WHERE op = 'queue.publish')::int AS published, count(*) FILTER (WHERE op = 'queue.process')::int AS processed`, []],
  };
  const measures = { p50_ms: 'percentile_cont(0.50) WITHIN GROUP (ORDER BY duration_ms)', p95_ms: 'percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms)',
    total_ms: 'sum(duration_ms)' };
  for (const [title, [key, condition, columns, named]] of Object.entries(lists)) {
    const wanted = await ask(`SELECT project_id, ${columns}${named.map((name) => `, ${measures[name]} AS ${name}`).join('')}
      FROM apm.spans WHERE ${condition} AND segment_end_time >= ${at(day.from)} AND segment_end_time < ${at(day.to)}
      GROUP BY project_id, ${key} ORDER BY sum(self_time_ms) DESC LIMIT 20`);
    const place = (list) => list.map((row, i) => ({ ...row, place: i + 1 }));
    if (wanted.length < 3) yield `"${title}": only ${wanted.length} rows`;
    yield* differences(`"${title}"`, place(rows(frames[title])), place(wanted), (r) => r.place, { p50_ms: 0.01, p95_ms: 0.01, total_ms: 1e-6, miss_rate: 1e-9 });
  }
}

async function* incidentProblems({ ask, day }, frames) {
  const wanted = await ask(`SELECT rule_name, status, severity, extract(epoch FROM opened_at)::float8 * 1000 AS opened_at, opened_value
    FROM apm.incidents WHERE NOT (opened_at > ${at(day.to)} OR (resolved_at IS NOT NULL AND resolved_at < ${at(day.from)}))`);
  const got = rows(frames.Incidents);
  if (!wanted.some((r) => r.status === 'open') || !wanted.some((r) => r.status === 'resolved')) yield 'the load has not both kinds of incidents';
  yield* differences('incidents', got, wanted, (r) => `${r.rule_name} ${r.opened_at}`, {});
  const open = (await ask("SELECT count(*)::int AS n FROM apm.incidents WHERE resolved_at IS NULL"))[0].n;
  if (values(frames['Open incidents'], 'open incidents')[0] !== open) yield `not ${open} open incidents`;
}

async function* traceProblems({ ask, reader, traces, day, trace }) {
  const { frames, problems } = await runPanels(reader, traces, day, { trace_id: trace });
  yield* problems;
  const wanted = await ask(`SELECT DISTINCT ON (project_id, span_id) trace_id::text AS "traceID", span_id::text AS "spanID", parent_span_id::text AS "parentSpanID",
      extract(epoch FROM start_time)::float8 * 1000 AS "startTime", duration_ms AS duration
    FROM apm.spans WHERE trace_id = '${trace}'`);
  const got = rows(frames.Trace);
  yield* differences('trace', got, wanted, (r) => r.spanID, {});
  const broken = await ask(`SELECT DISTINCT span_id::text AS id FROM apm.errors WHERE trace_id = '${trace}' AND span_id IS NOT NULL`);
  for (const { id } of broken) if (got.find((r) => r.spanID === id)?.statusCode !== 2) yield `span ${id} has an error and does not show it`;
  if (!got.some((r) => r.tags.length > 3)) yield 'no span shows attributes';
  if (got.length && Math.min(...got.map((r) => r.startTime)) !== got[0].startTime) yield 'the first span is not the first';
}

// All is the sum of the projects; one project is what is stored of it.
async function* filterProblems({ ask, reader, overview, day }) {
  const total = (frame, name) => values(frame, name).reduce((a, b) => a + b, 0);
  const all = (await runPanels(reader, overview, day)).frames;
  let sum = 0;
  for (const { project_id: project, n } of await ask(`SELECT p.project_id, count(t.end_time)::int AS n FROM apm.projects p
      LEFT JOIN apm.transactions t ON t.project_id = p.project_id AND end_time >= ${at(day.from)} AND end_time < ${at(day.to)} GROUP BY 1`)) {
    const { frames, problems } = await runPanels(reader, overview, day, { project });
    yield* problems;
    const got = total(frames.Transactions, 'transactions');
    if (got !== n) yield `project ${project}: ${got} transactions, not ${n}`;
    const busy = values(frames.Throughput, 'throughput').filter((v) => v > 0).length;
    if (n > 500 && busy === values(all.Throughput, 'throughput').filter((v) => v > 0).length
      && total(frames.Throughput, 'throughput') === total(all.Throughput, 'throughput')) yield `project ${project}: the throughput of all`;
    if (rows(frames['Slowest endpoints']).some((r) => r.project_id !== project)) yield `project ${project}: endpoints of another`;
    sum += got;
  }
  if (sum !== total(all.Transactions, 'transactions')) yield 'All is not the sum of the projects';
  const [{ release, n }] = await ask(`SELECT release, count(*)::int AS n FROM apm.transactions WHERE end_time >= ${at(day.from)} AND end_time < ${at(day.to)}
    AND release IS NOT NULL GROUP BY 1 ORDER BY 2 DESC LIMIT 1`);
  const { frames } = await runPanels(reader, overview, day, { release });
  if (total(frames.Transactions, 'transactions') !== n) yield `release ${release}: not ${n} transactions`;
}

const CHECKS = {
  'time series against plain SQL': seriesProblems,
  'endpoints against plain SQL': endpointProblems,
  'web vitals against plain SQL': vitalProblems,
  'queries, requests, caches and queues against their spans': spanProblems,
  'incidents against the tables': incidentProblems,
  'a trace against its spans': traceProblems,
  'All and one of projects and releases': filterProblems,
};

export async function* truthChecks(context) {
  let frames = context.frames?.[context.overview.uid];
  frames ??= (await runPanels(context.reader, context.overview, context.day)).frames;
  for (const [name, check] of Object.entries(CHECKS)) {
    const problems = [];
    try {
      for await (const problem of check(context, frames)) problems.push(problem);
    } catch (error) {
      problems.push(error.stack);
    }
    yield { name, problems };
  }
}
