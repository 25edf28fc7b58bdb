// Checks the dashboards: their form, every query on a database with the demo
// load and on an empty one, the frames, and values against other SQL.  Prints
// a line for each check, "ok" or "not ok", and below it what is wrong.
//
// READER, OWNER and EMPTY are addresses: of the loaded database as a reader and
// as its owner, and of the empty one as a reader; UNTIL is the end of the load.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import pg from 'pg';
import { staticProblems } from './contract.mjs';
import { ALL, expandMacros, interpolate, intervalOf } from './grafana.mjs';
import { mutations } from './mutations.mjs';
import { rows, runAnnotations, runPanels, runVariables, values } from './run.mjs';
import { truthChecks } from './truth.mjs';
import { typeProgram } from './types.mjs';

const HOUR = 3600000;
const until = Date.parse(process.env.UNTIL);
const day = { from: until - 24 * HOUR, to: until };
const week = { from: until - 168 * HOUR, to: until };

function report(name, problems) {
  const list = [...problems];
  console.log(`${list.length ? 'not ok' : 'ok'} - ${name}`);
  for (const problem of list.slice(0, 20)) console.log(`# ${problem}`);
}

async function attempt(name, check) {
  try {
    report(name, await check());
  } catch (error) {
    report(name, [error.stack]);
  }
}

const connect = async (url) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("SET timezone = 'UTC'");
  return client;
};

const folder = process.env.DASHBOARDS;
const files = readdirSync(folder).filter((f) => f.endsWith('.json')).sort();
const dashboards = files.map((f) => JSON.parse(readFileSync(`${folder}/${f}`, 'utf8')));
const uids = dashboards.map((d) => d.uid);
const overview = dashboards.find((d) => d.uid === 'pg-apm-overview');
const traces = dashboards.find((d) => d.uid === 'pg-apm-traces');
const reader = await connect(process.env.READER);
const owner = await connect(process.env.OWNER);
const empty = await connect(process.env.EMPTY);
const ask = async (sql) => (await owner.query(sql)).rows;

// --- form -------------------------------------------------------------------

await attempt('the port of the macros keeps to the rules', () => portProblems());
for (const [i, dashboard] of dashboards.entries()) report(`form of ${files[i]}`, staticProblems(dashboard, uids));
await attempt('provisioning', () => provisioningProblems());
writeFileSync('types.ts', typeProgram(dashboards));
await attempt('types of @grafana/schema', () => {
  try {
    execFileSync('node_modules/.bin/tsc', ['--noEmit', '--strict', '--skipLibCheck', '--module', 'esnext', '--moduleResolution', 'bundler',
      '--target', 'es2022', 'types.ts'], { encoding: 'utf8' });
    return [];
  } catch (error) {
    return String(error.stdout || error).split('\n').map((line) => line.slice(0, 500));
  }
});

// The data source that is provisioned is the one the dashboards begin with, and
// the README names every variable of the environment.
function* provisioningProblems() {
  const sources = readFileSync(`${folder}/provisioning/datasources/pg_apm.yaml`, 'utf8');
  const providers = readFileSync(`${folder}/provisioning/dashboards/pg_apm.yaml`, 'utf8');
  const readme = readFileSync(`${folder}/../../README.md`, 'utf8');
  for (const d of dashboards) {
    const { query, current } = d.templating.list.find((v) => v.name === 'datasource');
    for (const line of [`uid: ${current.value}`, `name: ${current.text}`, `type: ${query}`]) if (!sources.includes(`${line}\n`)) yield `no data source with ${line}`;
  }
  for (const text of [sources, providers]) {
    if (!/^apiVersion: 1$/m.test(text) || text.includes('\t')) yield 'not a provisioning file';
    for (const [, name] of text.matchAll(/\$\{(\w+)\}/g)) if (!readme.includes(`${name}=`)) yield `the README does not say what ${name} is`;
  }
}

function* portProblems() {
  const variables = [{ name: 'a', allValue: 'NULL' }, { name: 'b' }];
  const cases = [
    ["x => ${a:sqlstring}", { a: ALL }, 'x => NULL'],
    ["x => ${a:sqlstring}, $b", { a: "it's", b: '1' }, "x => 'it''s', 1"],
    ["[[b]] ${__url_time_range} $c '$__interval'", { b: 'z' }, "z ${__url_time_range} $c '$__interval'"],
  ];
  for (const [text, chosen, wanted] of cases) {
    const got = interpolate(text, variables, chosen);
    if (got !== wanted) yield `${text} became ${got}`;
  }
  const range = { from: 0, to: 7 * 24 * HOUR };
  const step = intervalOf({ maxDataPoints: 168, interval: '1m' }, range);
  const sql = expandMacros("$__timeFilter(t) $__timeFrom() $__timeTo() '$__interval' $__interval_ms $__timeGroup(t,'5m')", range, step);
  const wanted = "t BETWEEN '1970-01-01T00:00:00.000Z' AND '1970-01-08T00:00:00.000Z' '1970-01-01T00:00:00.000Z' '1970-01-08T00:00:00.000Z' '1h' 3600000 "
    + 'floor(extract(epoch from t)/300)*300';
  if (sql !== wanted) yield sql;
}

// --- queries ----------------------------------------------------------------

const frames = {};
for (const [name, range] of [['a day', day], ['a week', week], ['five minutes', { from: until - 300000, to: until }]]) {
  for (const dashboard of dashboards) {
    await attempt(`${dashboard.uid}: panels over ${name}`, async () => {
      const result = await runPanels(reader, dashboard, range);
      frames[dashboard.uid] ??= result.frames;
      return result.problems;
    });
  }
}

const trace = (await ask('SELECT trace_id FROM apm.transactions JOIN apm.errors USING (trace_id) ORDER BY end_time, trace_id LIMIT 1'))[0].trace_id;
const [{ project_id: project, name: transaction }] = await ask(`SELECT project_id, name FROM apm.transactions WHERE trace_id = '${trace}' ORDER BY end_time DESC LIMIT 1`);

await attempt('a chosen transaction and trace', async () => {
  const { frames: f, problems } = await runPanels(reader, traces, day, { project, transaction, trace_id: trace });
  const list = [...problems];
  for (const title of ['Slowest transactions', 'Trace', 'Errors of this trace']) if (!f[title]?.length) list.push(`"${title}" shows nothing`);
  if (rows(f['Slowest transactions']).some((r) => r.transaction_name !== transaction)) list.push('transactions of another name');
  return list;
});

await attempt('an id that is none is refused', async () => {
  const { problems } = await runPanels(reader, traces, day, { trace_id: 'zzz' });
  return problems.length && problems.every((p) => /invalid input syntax for type apm.trace_id/.test(p)) ? [] : ['not refused', ...problems];
});

// The odd environment is one that a test made; the other value tries to break out.
for (const [value, wanted] of [[process.env.ODD, 3], ["x'); DELETE FROM apm.projects; --", 0], ["'", 0], ['\\', 0]]) {
  await attempt(`the environment ${value} is a value`, async () => {
    const { frames: f, problems } = await runPanels(reader, overview, day, { environment: value });
    const count = values(f.Transactions, 'transactions').reduce((a, b) => a + b, 0);
    return count === wanted ? problems : [...problems, `${count} transactions`];
  });
}

await attempt('variables offer what is stored', async () => {
  const all = await runVariables(reader, overview);
  const one = await runVariables(reader, overview, { project: 900002 });
  const stored = async (column, project) => (await ask(`SELECT DISTINCT ${column} AS v FROM apm.transactions
    WHERE ${column} IS NOT NULL AND (${project} IS NULL OR project_id = ${project})`)).map((r) => r.v).sort();
  const list = [];
  const equal = (what, got, wanted) => { if (JSON.stringify(got) !== JSON.stringify(wanted)) list.push(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`); };
  equal('projects', all.project, (await ask('SELECT project_id::text AS value, name AS text FROM apm.projects ORDER BY name, project_id')));
  equal('environments', all.environment.map((o) => o.value).sort(), await stored('environment', 'NULL::int'));
  equal('environments of one project', one.environment.map((o) => o.value).sort(), await stored('environment', 900002));
  equal('releases', all.release.map((o) => o.value).sort(), await stored('release', 'NULL::int'));
  equal('releases of one project', one.release.map((o) => o.value).sort(), await stored('release', 900002));
  if (one.release.length >= all.release.length) list.push('All has no more releases than one project');
  return list;
});

await attempt('annotations', async () => {
  const f = await runAnnotations(reader, overview, day);
  const list = [];
  const opened = (await ask(`SELECT count(*)::int AS n FROM apm.incidents WHERE opened_at BETWEEN '${new Date(day.from).toISOString()}' AND '${new Date(day.to).toISOString()}'`))[0].n;
  if (f.Incidents.length !== opened || opened === 0) list.push(`${f.Incidents.length} of ${opened} incidents`);
  if (f.Releases.length === 0) list.push('no release');
  return list;
});

for await (const { name, problems } of truthChecks({ ask, reader, overview, traces, frames, day, trace })) report(name, problems);

await attempt('an empty database gives empty frames', async () => {
  const list = [];
  for (const dashboard of dashboards) {
    const { frames: f, problems } = await runPanels(empty, dashboard, day);
    list.push(...problems);
    for (const [title, frame] of Object.entries(f)) {
      const numbers = frame.fields.filter((field) => field.type === 'number').flatMap((field) => field.values);
      if (numbers.some((v) => v !== null && v !== 0)) list.push(`"${title}" shows ${numbers.find((v) => v)}`);
    }
    for (const [name, offered] of Object.entries(await runVariables(empty, dashboard))) if (offered.length) list.push(`${name} offers ${offered.length}`);
    for (const [name, frame] of Object.entries(await runAnnotations(empty, dashboard, day))) if (frame.length) list.push(`${name}: ${frame.length}`);
  }
  return list;
});

// --- what is wrong must be seen ----------------------------------------------

for (const [name, mutate] of Object.entries(mutations)) {
  await attempt(`seen: ${name}`, async () => {
    const changed = structuredClone({ overview, traces });
    mutate(changed);
    const seen = [...staticProblems(changed.overview, uids), ...staticProblems(changed.traces, uids)];
    for (const d of [changed.overview, changed.traces]) seen.push(...(await runPanels(reader, d, day, { trace_id: trace })).problems);
    for await (const { problems } of truthChecks({ ask, reader, ...changed, frames: null, day, trace })) seen.push(...problems);
    return seen.length ? [] : ['passed as if nothing were wrong'];
  });
}

for (const client of [reader, owner, empty]) await client.end();
