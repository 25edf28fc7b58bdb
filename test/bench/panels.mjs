// Prints "title<TAB>SQL" for each panel, or variable, of a dashboard, asked for
// the week before a time: everything at "All" but what is given as name=value.
// Panels ask for steps of an hour over a week.
import { readFileSync } from 'node:fs';
import { ALL, expandMacros, interpolate } from '../dashboards/macros.mjs';

const [file, until, ...given] = process.argv.slice(2);
const dashboard = JSON.parse(readFileSync(file, 'utf8'));
const variables = dashboard.templating.list;
const to = Date.parse(until);
const range = { from: to - 7 * 86400000, to };
const chosen = Object.fromEntries(variables.map((v) => [v.name, v.includeAll ? ALL : '']));
for (const [name, value] of given.map((text) => text.split('='))) chosen[name] = value;
const show = (title, sql) => console.log(`${title}\t${expandMacros(interpolate(sql, variables, chosen), range, { interval: '1h', intervalMs: 3600000 })}`);

for (const panel of dashboard.panels) for (const target of panel.targets ?? []) show(panel.title, target.rawSql);
for (const variable of variables) if (variable.type === 'query') show(`variable ${variable.name}`, variable.query);
