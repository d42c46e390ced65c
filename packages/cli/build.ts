// `npm run build -w @switchyard/cli`: emits the package that is published as `switchyard` into dist. It brings our own packages
// along as bundled dependencies, so that they need not be published by themselves.

import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const here = import.meta.dirname
const packages = path.dirname(here)
const out = path.resolve(process.argv[2] ?? path.join(here, 'dist'))
const OURS = ['contracts', 'git'] as const

type Manifest = {
  readonly version: string
  readonly description?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

const readManifest = (name: string): Manifest =>
  JSON.parse(readFileSync(path.join(packages, name, 'package.json'), 'utf8'))

const write = (file: string, manifest: object): void => writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`)

const isOurs = (name: string): boolean => name.startsWith('@switchyard/')

rmSync(out, { recursive: true, force: true })
const tsc = path.join(here, '../../node_modules/.bin/tsc')
execFileSync(tsc, ['-p', path.join(here, 'tsconfig.build.json'), '--outDir', out], { stdio: 'inherit' })

const cli = readManifest('cli')
const dependencies: Record<string, string> = {}
for (const name of ['cli', ...OURS])
  for (const [dependency, range] of Object.entries(readManifest(name).dependencies ?? {}))
    if (!isOurs(dependency)) dependencies[dependency] = range

for (const name of OURS) {
  const place = path.join(out, 'node_modules/@switchyard', name)
  cpSync(path.join(out, name), place, { recursive: true })
  rmSync(path.join(out, name), { recursive: true })
  // What is read as a file, such as the hosts' keys.
  cpSync(path.join(packages, name, 'src'), path.join(place, 'src'), {
    recursive: true,
    filter: (source) => !source.endsWith('.ts'),
  })
  const { version } = readManifest(name)
  write(path.join(place, 'package.json'), {
    name: `@switchyard/${name}`,
    version,
    type: 'module',
    exports: './src/index.js',
  })
}
write(path.join(out, 'package.json'), {
  name: 'switchyard',
  version: cli.version,
  description: cli.description,
  license: 'MIT',
  type: 'module',
  bin: { switchyard: 'cli/src/main.js' },
  engines: { node: '>=22' },
  dependencies: { ...dependencies, ...Object.fromEntries(OURS.map((name) => [`@switchyard/${name}`, cli.version])) },
  bundledDependencies: OURS.map((name) => `@switchyard/${name}`),
})
// `--version` reads it beside its src.
write(path.join(out, 'cli/package.json'), { type: 'module', version: cli.version })
chmodSync(path.join(out, 'cli/src/main.js'), 0o755)
