// Reads every import of the repository and reports those that break a rule or form a cycle.

import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parseSync } from 'oxc-parser'
import { LAYERED_SERVICES, PURE_ENTRIES, PURE_MODULES, RULES, type SourceFile } from './rules.ts'

export type Problem = { readonly rule: string; readonly from: string; readonly to: string }

/** Files by their path from the root, with their text. */
export type Sources = ReadonlyMap<string, string>

export const readSources = (root: string): Sources =>
  new Map(
    ['packages/*/src/**/*.ts', 'services/*/src/**/*.{ts,tsx}', 'test/**/*.ts', 'deploy/**/*.{ts,mjs}']
      .flatMap((pattern) => globSync(pattern, { cwd: root, exclude: (name) => name.includes('node_modules') }))
      .map((file) => [file, readFileSync(path.join(root, file), 'utf8')]),
  )

const sourceFile = (file: string): SourceFile => ({
  path: file,
  folder: file.startsWith('test/') ? 'test' : file.split('/').slice(0, 2).join('/'),
  isTest: /\.(?:test|fixture)\.tsx?$/.test(file),
})

const specifiersOf = (file: string, text: string): readonly string[] => {
  const { module, errors } = parseSync(file, text)
  if (errors.length > 0) throw new Error(`${file} cannot be read: ${errors[0]?.message}`)
  const dynamic = module.dynamicImports
    .map(({ moduleRequest }) => text.slice(moduleRequest.start, moduleRequest.end))
    .filter((given) => /^['"]/.test(given))
    .map((given) => given.slice(1, -1))
  const exported = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest }) => (moduleRequest ? [moduleRequest.value] : [])),
  )
  return [...module.staticImports.map(({ moduleRequest }) => moduleRequest.value), ...exported, ...dynamic]
}

/** Returns the file that an import resolves to: of a workspace its entry. Undefined for what is not ours. */
const targetOf = (sources: Sources, file: string, specifier: string): string | undefined => {
  if (specifier.startsWith('.')) return path.posix.join(path.posix.dirname(file), specifier)
  const [, name, part = 'index'] = /^@switchyard\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? []
  if (name === undefined) return undefined
  const entries = ['packages', 'services'].flatMap((kind) => [
    `${kind}/${name}/src/${part}.ts`,
    `${kind}/${name}/src/${part}/index.ts`,
  ])
  return entries.find((entry) => sources.has(entry))
}

type Graph = ReadonlyMap<string, readonly string[]>

/** Returns what the pure entries load, directly or through other files, that could start a process or read the disk. */
const impureImports = (imports: ReadonlyMap<string, readonly string[]>, graph: Graph): readonly Problem[] =>
  PURE_ENTRIES.flatMap((entry) => {
    const loaded = new Set([entry])
    for (const file of loaded)
      for (const next of graph.get(file) ?? []) if (sourceFile(next).folder !== 'packages/contracts') loaded.add(next)
    return [...loaded].flatMap((file) =>
      (imports.get(file) ?? [])
        .filter((specifier) => !/^(?:\.|@switchyard\/)/.test(specifier) && !PURE_MODULES.includes(specifier))
        .map((to) => ({ rule: `${entry} is pure`, from: file, to })),
    )
  })

/** Returns one problem for each import that closes a cycle. */
const cyclesOf = (graph: Graph, rule: string): readonly Problem[] => {
  const done = new Set<string>()
  const open: string[] = []
  const found: Problem[] = []
  const visit = (file: string): void => {
    if (open.includes(file)) found.push({ rule, from: open.at(-1) ?? file, to: file })
    if (done.has(file) || open.includes(file)) return
    open.push(file)
    for (const next of graph.get(file) ?? []) visit(next)
    open.pop()
    done.add(file)
  }
  for (const file of graph.keys()) visit(file)
  return found
}

/** The folder of a service that a file is in: `services/api/src/tasks`, or `services/api/src` for the files on top. */
const layerOf = (file: string): string =>
  file
    .split('/')
    .slice(0, 4)
    .join('/')
    .replace(/\/[^/]+\.tsx?$/, '')

/** Returns the imports between the folders of one service. Tests are left out: they may reach into any layer. */
const layersOf = (graph: Graph, service: string): Graph => {
  const isLayered = (file: string) => file.startsWith(`${service}/src/`) && !sourceFile(file).isTest
  const layers = new Map<string, Set<string>>()
  for (const [file, targets] of graph) {
    if (!isLayered(file)) continue
    const layer = layerOf(file)
    const reached = targets.filter(isLayered).map(layerOf)
    const others = reached.filter((other) => other !== layer)
    layers.set(layer, new Set([...(layers.get(layer) ?? []), ...others]))
  }
  return new Map([...layers].map(([layer, reached]) => [layer, [...reached]]))
}

const folderCycles = (graph: Graph, services: readonly string[]): readonly Problem[] =>
  services.flatMap((service) => cyclesOf(layersOf(graph, service), 'no cycles between the folders of a service'))

/** @param layered - the services whose folders must not import each other in a cycle */
export const check = (
  sources: Sources,
  layered: readonly string[] = LAYERED_SERVICES,
): { readonly problems: readonly Problem[]; readonly imports: number } => {
  const specifiers = new Map([...sources].map(([file, text]) => [file, specifiersOf(file, text)]))
  const graph = new Map(
    [...specifiers].map(([file, all]) => [file, all.flatMap((specifier) => targetOf(sources, file, specifier) ?? [])]),
  )
  const broken = [...graph].flatMap(([from, targets]) =>
    targets.flatMap((to) => {
      const [at, reached] = [sourceFile(from), sourceFile(to)]
      if (at.folder === reached.folder) return []
      return RULES.filter((rule) => rule.forbids(at, reached)).map((rule) => ({ rule: rule.name, from, to }))
    }),
  )
  const imports = [...graph.values()].reduce((sum, targets) => sum + targets.length, 0)
  const cycles = [...cyclesOf(graph, 'no cycles'), ...folderCycles(graph, layered)]
  return { problems: [...broken, ...impureImports(specifiers, graph), ...cycles], imports }
}
