// `npm run build -w @switchyard/cli [directory]`: builds the npm package `switchyard`, by default
// into dist. Packages of this repository are bundled, because they are not published on their own.

import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const here = import.meta.dirname
const packages = path.dirname(here)
const out = path.resolve(process.argv[2] ?? path.join(here, 'dist'))
const BUNDLED = ['contracts', 'git'] as const

type Manifest = {
  readonly version: string
  readonly description?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

const readManifest = (name: string): Manifest =>
  JSON.parse(readFileSync(path.join(packages, name, 'package.json'), 'utf8'))

const write = (file: string, manifest: object): void => writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`)

const isWorkspacePackage = (name: string): boolean => name.startsWith('@switchyard/')

rmSync(out, { recursive: true, force: true })
const tsc = path.join(here, '../../node_modules/.bin/tsc')
execFileSync(tsc, ['-p', path.join(here, 'tsconfig.build.json'), '--outDir', out], { stdio: 'inherit' })

const cli = readManifest('cli')
const dependencies: Record<string, string> = {}
for (const name of ['cli', ...BUNDLED])
  for (const [dependency, range] of Object.entries(readManifest(name).dependencies ?? {}))
    if (!isWorkspacePackage(dependency)) dependencies[dependency] = range

for (const name of BUNDLED) {
  const target = path.join(out, 'node_modules/@switchyard', name)
  cpSync(path.join(out, name), target, { recursive: true })
  rmSync(path.join(out, name), { recursive: true })
  // Data files that the code reads at run time, such as the host keys of the forges.
  cpSync(path.join(packages, name, 'src'), path.join(target, 'src'), {
    recursive: true,
    filter: (source) => !source.endsWith('.ts'),
  })
  const { version } = readManifest(name)
  write(path.join(target, 'package.json'), {
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
  dependencies: { ...dependencies, ...Object.fromEntries(BUNDLED.map((name) => [`@switchyard/${name}`, cli.version])) },
  bundledDependencies: BUNDLED.map((name) => `@switchyard/${name}`),
})
// `switchyard --version` reads the package.json next to src.
write(path.join(out, 'cli/package.json'), { type: 'module', version: cli.version })
chmodSync(path.join(out, 'cli/src/main.js'), 0o755)
