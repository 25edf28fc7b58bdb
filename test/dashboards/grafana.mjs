// What Grafana does between a dashboard and its panels, restated for the
// PostgreSQL data source: variables and macros into SQL, rows into frames.
import { createRequire } from 'node:module';

export { ALL, expandMacros, interpolate, variableUses } from './macros.mjs';

const require = createRequire(import.meta.url);
export const { FieldType, createDataFrame, rangeUtil, getFieldDisplayName } = require('@grafana/data');

// The step that a panel asks for.
export function intervalOf(panel, range) {
  const bounds = { from: { valueOf: () => range.from }, to: { valueOf: () => range.to } };
  return rangeUtil.calculateInterval(bounds, panel.maxDataPoints ?? 1000, panel.interval);
}

// --- rows into frames -------------------------------------------------------

const NUMBERS = new Set([20, 21, 23, 26, 700, 701, 1700]);
const TIMES = new Set([1082, 1114, 1184]);
const JSONS = new Set([114, 3802]);

export function typeOf(oid) {
  if (NUMBERS.has(oid)) return FieldType.number;
  if (TIMES.has(oid)) return FieldType.time;
  if (JSONS.has(oid)) return FieldType.other;
  return oid === 16 ? FieldType.boolean : FieldType.string;
}

// Milliseconds, as a frame has them; infinity is not a time for Grafana.
function toTime(text) {
  const ms = Date.parse(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
  if (Number.isNaN(ms)) throw new Error(`not a time that Grafana could show: ${text}`);
  return ms;
}

const PARSERS = {
  [FieldType.number]: Number,
  [FieldType.time]: toTime,
  [FieldType.other]: JSON.parse,
  [FieldType.boolean]: (text) => text === 't',
  [FieldType.string]: (text) => text,
};

// Runs one statement in the simple protocol: literals without types, no
// parameters.  Returns columns with their values.
export async function run(client, sql) {
  const result = await client.query({ text: sql, rowMode: 'array', types: { getTypeParser: () => (text) => text } });
  if (Array.isArray(result)) throw new Error('more than one statement');
  return result.fields.map((field, i) => {
    const type = typeOf(field.dataTypeID);
    return { name: field.name, type, values: result.rows.map((row) => (row[i] === null ? null : PARSERS[type](row[i]))) };
  });
}

function checkTimes(columns) {
  const times = columns.filter((c) => c.name.toLowerCase() === 'time');
  if (times.length !== 1) throw new Error('a time series has one column "time"');
  const [time] = times;
  if (time.type === FieldType.number) time.values = time.values.map((s) => s * 1000);
  else if (time.type !== FieldType.time) throw new Error('the column "time" is no time');
  time.values.forEach((ms, i) => {
    if (ms === null) throw new Error('NULL in the column "time"');
    if (i > 0 && ms < time.values[i - 1]) throw new Error('rows are not in the order of "time"');
  });
  return time;
}

// One field for each value column and each combination of the text columns;
// where the only text is "metric", it names the series.
function longToWide(columns, time) {
  const texts = columns.filter((c) => c.type === FieldType.string);
  const numbers = columns.filter((c) => c.type === FieldType.number && c !== time);
  const instants = [...new Set(time.values)];
  const place = new Map(instants.map((ms, i) => [ms, i]));
  const fields = new Map();
  time.values.forEach((ms, row) => {
    const labels = Object.fromEntries(texts.map((c) => [c.name, c.values[row] ?? '']));
    for (const number of numbers) {
      const key = JSON.stringify([number.name, labels]);
      if (!fields.has(key)) {
        const named = columns.length === 3 && 'metric' in labels;
        fields.set(key, { name: named ? labels.metric : number.name, type: FieldType.number, config: {}, seen: new Set(),
          labels: named ? undefined : labels, values: new Array(instants.length).fill(null) });
      }
      const field = fields.get(key);
      if (field.seen.has(ms)) throw new Error(`two values of ${field.name} at one time`);
      field.seen.add(ms);
      field.values[place.get(ms)] = number.values[row];
    }
  });
  return [{ name: time.name, type: FieldType.time, config: {}, values: instants }, ...[...fields.values()].map(({ seen, ...field }) => field)];
}

export function toFrame(columns, target) {
  const fields = columns.map((c) => ({ ...c, config: {} }));
  if (target.format !== 'time_series') return createDataFrame({ refId: target.refId, fields });
  const time = checkTimes(fields);
  if (!fields.some((f) => f.type === FieldType.number && f !== time)) throw new Error('a time series without a number');
  time.type = FieldType.time;
  return createDataFrame({ refId: target.refId, fields: fields.some((f) => f.type === FieldType.string) ? longToWide(fields, time) : fields });
}

// What a variable's query offers: columns __text and __value, or one column.
export function options(columns) {
  const named = (name) => columns.find((c) => c.name === name);
  const value = named('__value') ?? columns[0];
  const text = named('__text') ?? value;
  return value.values.map((v, i) => ({ value: String(v), text: String(text.values[i]) }));
}
