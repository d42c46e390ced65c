// The import rule of the design: contracts <- everything; the middle packages do not know each other;
// services put them together; no package imports a service.
const middle = ['records', 'queue', 'opencode', 'docker', 'git', 'channels']

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'contracts-import-nothing-of-ours',
      severity: 'error',
      from: { path: '^packages/contracts/' },
      to: { path: '^(packages/(?!contracts/)|services/|test/)' },
    },
    {
      name: 'config-knows-contracts-only',
      severity: 'error',
      from: { path: '^packages/config/' },
      to: { path: '^(packages/(?!contracts/|config/)|services/|test/)' },
    },
    ...middle.map((name) => ({
      name: `${name}-knows-contracts-and-config-only`,
      severity: 'error',
      from: { path: `^packages/${name}/`, pathNot: '\\.test\\.ts$' },
      to: { path: `^(packages/(?!contracts/|config/|${name}/)|services/|test/)` },
    })),
    {
      name: 'no-package-imports-a-service',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^(services|test)/' },
    },
    {
      name: 'services-do-not-import-each-other',
      comment: 'only the embedded service holds the others in one process',
      severity: 'error',
      from: { path: '^services/(?!embedded/)([^/]+)/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'test-doubles-stay-in-tests',
      severity: 'error',
      from: { path: '^(packages|services)/', pathNot: ['\\.test\\.ts$', '^packages/testing/'] },
      to: { path: '^packages/testing/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
