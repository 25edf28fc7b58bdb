// What a dashboard must keep to before any query is run, and what its panels
// ask of their frames.
import { createRequire } from 'node:module';
import { FieldType, getFieldDisplayName, intervalOf, variableUses } from './grafana.mjs';

const require = createRequire(import.meta.url);
const { getValueFormats, fieldReducers } = require('@grafana/data');
const { defaultDashboard } = require('@grafana/schema');

export const PANEL_TYPES = ['timeseries', 'stat', 'table', 'traces', 'row'];
const DATA_SOURCE = { type: 'grafana-postgresql-datasource', uid: '${datasource}' };
const HOUR = 3600000;

// Names that Grafana itself knows.
const BUILT_IN = /^__(all|from|to|interval|interval_ms|timeFrom|timeTo|timeFilter|timeGroup|url_time_range|value|data|field|series)$/;

// Categories are made once, and ask the browser for its language.
globalThis.navigator ??= { language: 'en-US', languages: ['en-US'] };
const units = new Set(getValueFormats().flatMap((group) => group.submenu.map((unit) => unit.value)));

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export function panelsOf(dashboard) {
  return dashboard.panels.flatMap((panel) => [panel, ...(panel.type === 'row' ? panel.panels ?? [] : [])]);
}

export function targetsOf(panel) {
  return (panel.targets ?? []).map((target) => ({ panel, target, name: `"${panel.title}" ${target.refId}` }));
}

function* gridProblems(panels) {
  for (const [i, p] of panels.entries()) {
    const { x, y, w, h } = p.gridPos;
    if (!(x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= 24)) yield `"${p.title}" lies outside the grid`;
    for (const q of panels.slice(i + 1)) {
      const o = q.gridPos;
      if (x < o.x + o.w && o.x < x + w && y < o.y + o.h && o.y < y + h) yield `"${p.title}" and "${q.title}" overlap`;
    }
  }
}

function* sqlProblems(where, target, variables) {
  const sql = target.rawSql;
  if (!same(target.datasource, DATA_SOURCE)) yield `${where}: another data source`;
  if (!target.rawQuery || target.editorMode !== 'code') yield `${where}: not a query in SQL`;
  if (!/^SELECT /.test(sql) || /[\n;]|--/.test(sql)) yield `${where}: not one line of SQL`;
  for (const use of variableUses(sql)) {
    if (variables.some((v) => v.name === use.name)) {
      if (use.format !== 'sqlstring') yield `${where}: ${use.text} is not quoted`;
    } else if (!BUILT_IN.test(use.name)) {
      yield `${where}: there is no variable ${use.text}`;
    }
  }
}

function* configProblems(panel) {
  const { defaults, overrides } = panel.fieldConfig;
  const names = new Set();
  const settings = [defaults, ...overrides.map((o) => Object.fromEntries(o.properties.map((p) => [p.id, p.value])))];
  for (const { unit, thresholds } of settings) {
    if (unit !== undefined && !units.has(unit)) yield `"${panel.title}": there is no unit ${unit}`;
    if (thresholds && thresholds.steps.some((s, i, all) => (i === 0) !== (s.value === null) || (i > 1 && s.value <= all[i - 1].value))) {
      yield `"${panel.title}": thresholds do not rise`;
    }
  }
  for (const { matcher } of overrides) {
    if (matcher.id !== 'byName') yield `"${panel.title}": an override that is not by name`;
    if (names.has(matcher.options)) yield `"${panel.title}": ${matcher.options} is overridden twice`;
    names.add(matcher.options);
  }
  const calcs = [...(panel.options.reduceOptions?.calcs ?? []), ...(panel.options.legend?.calcs ?? [])];
  for (const calc of calcs) if (!fieldReducers.getIfExists(calc)) yield `"${panel.title}": there is no reducer ${calc}`;
}

function* panelProblems(panel, variables) {
  if (!PANEL_TYPES.includes(panel.type)) yield `"${panel.title}": there is no panel ${panel.type}`;
  if (panel.type === 'row') return;
  if (!panel.title || !panel.description) yield `panel ${panel.id} has no title or no description`;
  if (!same(panel.datasource, DATA_SOURCE)) yield `"${panel.title}": another data source`;
  if (panel.targets.length !== 1) yield `"${panel.title}" is not one line of SQL`;
  for (const { target, name } of targetsOf(panel)) yield* sqlProblems(name, target, variables);
  if (panel.targets.some((t) => t.format === 'time_series')) {
    for (const days of [7, 30]) {
      const step = intervalOf(panel, { from: 0, to: days * 24 * HOUR }).intervalMs;
      if (step < HOUR) yield `"${panel.title}": steps of ${step / 1000} s over ${days} days`;
    }
  }
  yield* configProblems(panel);
}

function* linkProblems(dashboard, uids) {
  const text = JSON.stringify(dashboard);
  for (const [, uid] of text.matchAll(/"url":"\/d\/([^?"]*)/g)) if (!uids.includes(uid)) yield `a link to the unknown dashboard ${uid}`;
  for (const use of variableUses(text)) {
    if (!BUILT_IN.test(use.name) && !dashboard.templating.list.some((v) => v.name === use.name)) yield `there is no variable ${use.text}`;
  }
}

// All that is wrong with a dashboard; uids are those of the dashboards beside it.
export function* staticProblems(dashboard, uids) {
  const panels = panelsOf(dashboard);
  const variables = dashboard.templating.list;
  const ids = panels.map((p) => p.id);
  const names = variables.map((v) => v.name);
  if (dashboard.schemaVersion !== defaultDashboard.schemaVersion) yield `schemaVersion is ${dashboard.schemaVersion}, not ${defaultDashboard.schemaVersion}`;
  if (new Set(ids).size !== ids.length || !ids.every(Number.isInteger)) yield 'ids of panels are not unique';
  if (new Set(names).size !== names.length) yield 'names of variables are not unique';
  for (const name of ['datasource', 'project', 'environment', 'release']) if (!names.includes(name)) yield `there is no variable ${name}`;
  for (const v of variables) {
    if (v.type === 'query' && (!v.includeAll || v.allValue !== 'NULL' || v.multi)) yield `All is not NULL in ${v.name}`;
    if (v.type === 'query') yield* sqlProblems(`variable ${v.name}`, { rawSql: v.query, datasource: v.datasource, rawQuery: true, editorMode: 'code' }, variables);
  }
  for (const a of dashboard.annotations.list) if (!a.builtIn) yield* sqlProblems(`annotation ${a.name}`, a.target, variables);
  yield* gridProblems(dashboard.panels);
  yield* linkProblems(dashboard, uids);
  for (const panel of panels) yield* panelProblems(panel, variables);
}

// --- frames -----------------------------------------------------------------

const column = (frame, name) => frame.fields.find((f) => f.name === name);

function* traceProblems(frame) {
  const types = { traceID: FieldType.string, spanID: FieldType.string, parentSpanID: FieldType.string, operationName: FieldType.string,
    serviceName: FieldType.string, startTime: FieldType.number, duration: FieldType.number, tags: FieldType.other, serviceTags: FieldType.other };
  for (const [name, type] of Object.entries(types)) {
    const field = column(frame, name);
    if (!field) { yield `no column "${name}"`; continue; }
    if (field.type !== type) yield `"${name}" is of type ${field.type}`;
    if (name !== 'parentSpanID' && field.values.some((v) => v === null || v === '' || Number.isNaN(v))) yield `"${name}" is empty in a row`;
    if (type === FieldType.other && !field.values.every((list) => Array.isArray(list) && list.every((t) => typeof t.key === 'string' && 'value' in t))) {
      yield `"${name}" is no list of keys and values`;
    }
  }
  for (const name of ['logs', 'references', 'stackTraces', 'warnings']) if (column(frame, name)) yield `"${name}" would break the panel where json comes as text`;
  const spans = column(frame, 'spanID')?.values ?? [];
  if (new Set(spans).size !== spans.length) yield 'a span comes twice';
  if (new Set(column(frame, 'traceID')?.values ?? []).size > 1) yield 'more than one trace';
}

// What a panel of this type does not find in its frame, or finds wrong.
export function* frameProblems(panel, frame) {
  const names = frame.fields.map((f) => f.name);
  if (new Set(names).size !== names.length) yield 'two fields of one name';
  const numbers = frame.fields.filter((f) => f.type === FieldType.number);
  if (numbers.some((f) => f.values.some((v) => v !== null && !Number.isFinite(v)))) yield 'a number that cannot be drawn';
  if (panel.type === 'timeseries') {
    const [time] = frame.fields.filter((f) => f.type === FieldType.time);
    if (!time || !frame.fields.every((f) => f === time || f.type === FieldType.number)) yield 'not one time and numbers';
    else if (time.values.some((ms, i) => i > 0 && ms <= time.values[i - 1])) yield 'times do not rise';
    else if (time.values.length > panel.maxDataPoints + 2) yield `${time.values.length} points`;
    for (const f of numbers) if (getFieldDisplayName(f, frame, [frame]) === 'value') yield 'a series without a name';
  }
  if (panel.type === 'stat' && numbers.length !== 1) yield 'not one number';
  if (panel.type === 'traces') yield* traceProblems(frame);
  if (panel.type === 'table' && frame.fields.some((f) => f.type === FieldType.other)) yield 'a cell with json';
  const { overrides } = panel.fieldConfig;
  for (const { matcher } of overrides) if (!names.includes(matcher.options)) yield `an override of ${matcher.options}, which is not there`;
  if (panel.type === 'table') for (const name of names) if (!overrides.some((o) => o.matcher.options === name)) yield `the column ${name} has no settings`;
  for (const [, name] of JSON.stringify(overrides).matchAll(/\$\{__data\.fields\.(\w+)/g)) if (!names.includes(name)) yield `a link needs the column ${name}`;
  if (panel.options.sortBy?.some((s) => !overrides.some((o) => o.properties.some((p) => p.id === 'displayName' && p.value === s.displayName)))) yield 'sorted by a column that is not there';
}
