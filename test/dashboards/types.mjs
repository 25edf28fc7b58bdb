// A TypeScript program that the compiler accepts if a dashboard is what
// @grafana/schema says, panel by panel.
import { panelsOf } from './contract.mjs';

const CONFIGS = { timeseries: 'timeseries', stat: 'stat', table: 'table' };

const HEAD = `import type { Dashboard } from '@grafana/schema';
${Object.entries(CONFIGS).map(([type, folder]) => `import type * as ${type} from './node_modules/@grafana/schema/dist/types/raw/composable/${folder}/panelcfg/x/types.gen';`).join('\n')}
// JSON has the values of enums, not their names.
type Json<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
type Some<T> = T extends (infer U)[] ? Some<U>[] : T extends object ? { [K in keyof T]?: Some<T[K]> } : T;
type Of<T> = Some<Json<T>>;
`;

// What a query says in SQL is the data source's own.
function withoutSql(dashboard) {
  const list = dashboard.annotations.list.map(({ target, ...rest }) => ({ ...rest, ...(target && { target: { refId: target.refId, datasource: target.datasource } }) }));
  return { ...dashboard, annotations: { list } };
}

export function typeProgram(dashboards) {
  let text = HEAD;
  let n = 0;
  const declare = (type, value) => { text += `const v${n++}: ${type} = ${JSON.stringify(value)};\n`; };
  for (const dashboard of dashboards) {
    declare('Json<Dashboard>', withoutSql(dashboard));
    for (const panel of panelsOf(dashboard).filter((p) => p.type in CONFIGS)) {
      declare(`Of<${panel.type}.Options>`, panel.options);
      // A stat has no settings of its own for a field.
      if (panel.type !== 'stat') declare(`Of<${panel.type}.FieldConfig>`, panel.fieldConfig.defaults.custom);
    }
  }
  // The compiler must refuse these, or it looks at nothing.
  for (const [type, value] of [['Json<Dashboard>', { schemaVersion: '42' }], ['Json<Dashboard>', { schemaVersion: 42, titel: 'x' }],
    ['Of<timeseries.Options>', { legend: { displayMode: 'lst' } }], ['Of<table.FieldConfig>', { cellOptions: { type: 'colour' } }]]) {
    text += '// @ts-expect-error\n';
    declare(type, value);
  }
  return text;
}
