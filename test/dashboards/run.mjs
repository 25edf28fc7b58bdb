// Runs the queries of a dashboard and says what is wrong with their frames.
import { ALL, expandMacros, interpolate, intervalOf, options, run, toFrame } from './grafana.mjs';
import { frameProblems, panelsOf, targetsOf } from './contract.mjs';

export function sqlOf(dashboard, panel, target, { range, chosen }) {
  return expandMacros(interpolate(target.rawSql, dashboard.templating.list, chosen), range, intervalOf(panel, range));
}

// All variables at "All", the boxes empty; and what is given.
export function choose(dashboard, given = {}) {
  const chosen = {};
  for (const v of dashboard.templating.list) chosen[v.name] = v.includeAll ? ALL : v.current.value;
  return { ...chosen, ...Object.fromEntries(Object.entries(given).filter(([name]) => name in chosen)) };
}

// The frames of all panels by title, and all problems.
export async function runPanels(client, dashboard, range, given = {}) {
  const frames = {};
  const problems = [];
  for (const { panel, target, name } of panelsOf(dashboard).flatMap(targetsOf)) {
    try {
      const sql = sqlOf(dashboard, panel, target, { range, chosen: choose(dashboard, given) });
      const frame = toFrame(await run(client, sql), target);
      frames[panel.title] = frame;
      for (const problem of frameProblems(panel, frame)) problems.push(`${name}: ${problem}`);
    } catch (error) {
      problems.push(`${name}: ${error.message}`);
    }
  }
  return { frames, problems };
}

export async function runVariables(client, dashboard, given = {}) {
  const offered = {};
  for (const v of dashboard.templating.list.filter((v) => v.type === 'query')) {
    offered[v.name] = options(await run(client, interpolate(v.query, dashboard.templating.list, choose(dashboard, given))));
  }
  return offered;
}

export async function runAnnotations(client, dashboard, range, given = {}) {
  const frames = {};
  for (const a of dashboard.annotations.list.filter((a) => !a.builtIn)) {
    const columns = await run(client, sqlOf(dashboard, {}, a.target, { range, chosen: choose(dashboard, given) }));
    frames[a.name] = toFrame(columns, a.target);
    for (const name of ['time', 'text']) if (!columns.some((c) => c.name === name)) throw new Error(`annotation ${a.name} has no column ${name}`);
  }
  return frames;
}

export const values = (frame, name) => {
  const field = frame.fields.find((f) => f.name === name);
  if (!field) throw new Error(`no field ${name} among ${frame.fields.map((f) => f.name)}`);
  return field.values;
};

// The rows of a frame as objects, or those that have a key.
export function rows(frame) {
  return Array.from({ length: frame.length }, (_, i) => Object.fromEntries(frame.fields.map((f) => [f.name, f.values[i]])));
}
