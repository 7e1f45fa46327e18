/** Who may import whom, as docs/architecture.md draws it. A cycle is an error. */
const rooms = [
  'api',
  'client',
  'logins',
  'engine',
  'provisioners',
  'desktop',
  'renderer',
  'electron',
  'cli',
  'bench',
  'test',
  'scripts',
  'resources',
];
const may = {
  api: [],
  client: ['api'],
  logins: ['client', 'api'],
  engine: ['api'],
  provisioners: ['client', 'api'],
  desktop: ['client', 'logins', 'provisioners', 'api'],
  renderer: ['desktop/contract', 'desktop/wire'],
  electron: ['desktop'],
  cli: ['client', 'logins', 'provisioners', 'api'],
};
const test = '\\.(test|suite)\\.ts$';

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    ...Object.entries(may).map(([room, allowed]) => ({
      name: `${room}-imports`,
      comment: `${room}/ may import ${allowed.join(', ') || 'nothing of ours'} (docs/architecture.md)`,
      severity: 'error',
      from: { path: `^${room}/`, pathNot: test },
      to: { path: `^(${rooms.join('|')})/`, pathNot: `^(${[room, ...allowed].join('|')})/` },
    })),
    {
      name: 'electron-is-named-in-one-room',
      severity: 'error',
      from: { pathNot: '^electron/' },
      to: { path: '^electron$|node_modules/electron/' },
    },
    {
      name: 'contract-is-data',
      comment: 'desktop/contract is read by the page: zod and nothing else',
      severity: 'error',
      from: { path: '^desktop/contract/', pathNot: test },
      to: { pathNot: '^desktop/contract/|node_modules/zod' },
    },
    {
      name: 'page-has-no-node',
      severity: 'error',
      from: { path: '^(renderer|desktop/wire)/', pathNot: test + '|renderer/vite\\.config\\.ts' },
      to: { dependencyTypes: ['core'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.svelte'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'svelte', 'default', 'types'],
    },
  },
};
