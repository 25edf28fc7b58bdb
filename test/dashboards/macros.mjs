// Variables and macros of Grafana's PostgreSQL data source, into SQL; needs no
// packages.

export const ALL = Symbol('All');

const quote = (text) => `'${text.replaceAll("'", "''")}'`;

const FORMATS = {
  sqlstring: quote,
  raw: (text) => text,
  percentencode: (text) => encodeURIComponent(text),
};

// Every use of a variable in a text: {name, format, at}.
export function variableUses(text) {
  return [...text.matchAll(/\$(\w+)|\$\{(\w+)(?:\.[\w.]+)?(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]/g)]
    .map((m) => ({ name: m[1] ?? m[2] ?? m[4], format: m[3] ?? m[5], text: m[0], at: m.index }));
}

// A custom value for "All" is put in as it is, whatever the format.  Names
// that are no variables stay.
export function interpolate(text, variables, chosen) {
  let out = '';
  let end = 0;
  for (const use of variableUses(text)) {
    const variable = variables.find((v) => v.name === use.name);
    if (!variable) continue;
    const value = chosen[use.name];
    const format = FORMATS[use.format ?? 'raw'];
    if (!format) throw new Error(`no such format: ${use.text}`);
    out += text.slice(end, use.at) + (value === ALL ? variable.allValue : format(String(value)));
    end = use.at + use.text.length;
  }
  return out + text.slice(end);
}

const seconds = (text) => {
  const [, count, unit] = /^'?(\d+)(ms|s|m|h|d|w)'?$/.exec(text.trim()) ?? [];
  if (!unit) throw new Error(`no such interval: ${text}`);
  return count * { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800 }[unit];
};

// Arguments end at the first closing parenthesis, as in Grafana.
export function expandMacros(sql, range, interval) {
  const time = (ms) => `'${new Date(ms).toISOString()}'`;
  const epoch = (ms) => String(Math.floor(ms / 1000));
  return sql
    .replaceAll('$__interval_ms', String(interval.intervalMs))
    .replaceAll('$__interval', interval.interval)
    .replace(/\$(__\w+)\(([^)]*)\)/g, (all, name, list) => {
      const [column, step] = list.split(',');
      switch (name) {
        case '__timeFrom': return time(range.from);
        case '__timeTo': return time(range.to);
        case '__timeFilter': return `${column} BETWEEN ${time(range.from)} AND ${time(range.to)}`;
        case '__timeGroup': return `floor(extract(epoch from ${column})/${seconds(step)})*${seconds(step)}`;
        case '__timeGroupAlias': return `floor(extract(epoch from ${column})/${seconds(step)})*${seconds(step)} AS "time"`;
        case '__unixEpochFrom': return epoch(range.from);
        case '__unixEpochTo': return epoch(range.to);
        case '__unixEpochFilter': return `${column} >= ${epoch(range.from)} AND ${column} <= ${epoch(range.to)}`;
        default: throw new Error(`unknown macro ${name}`);
      }
    });
}
