// The import rule of the design: contracts <- everything; the middle packages do not know each other; services put them
// together; no package imports a service.

/** A file that imports, or is imported. */
export type SourceFile = {
  /** Its path from the root. */
  readonly path: string
  /** The directory of its npm workspace, such as `packages/queue`; `test` for the tests outside of any. */
  readonly folder: string
  readonly isTest: boolean
}

type Rule = { readonly name: string; readonly forbids: (from: SourceFile, to: SourceFile) => boolean }

const packages = (...names: readonly string[]): readonly string[] => names.map((name) => `packages/${name}`)

const CONTRACTS = 'packages/contracts'
const CONFIG = 'packages/config'
const TESTING = 'packages/testing'
/** OpenCode loads its plugin, and an image has it without the other packages. */
const TOOL_SANDBOX = 'packages/tool-sandbox'
const MIDDLE = packages('records', 'queue', 'opencode', 'docker', 'git', 'channels', 'model-gateway', 'process')
/** Packages that combine some of the middle ones, each with those that it may import. */
const COMBINING: Readonly<Record<string, readonly string[]>> = {
  'packages/steering': packages('queue', 'records'),
  'packages/worker-calls': packages('process', 'queue', 'records'),
  'packages/workspace': packages('git', 'records'),
}

/** What it takes to run a task is a worker's alone; other services call a worker. */
const WITHOUT_WORK = ['services/api', 'services/notifier']
const WORK = packages('git', 'opencode', 'docker', 'tool-sandbox', 'workspace')
const GIT_IDENTITY = 'packages/git/src/identity/index.ts'

/** Entries of packages that load no code which starts processes, or reads the disk or the network. */
export const PURE_ENTRIES: readonly string[] = [GIT_IDENTITY, 'packages/workspace/src/layout.ts']
/** The modules that may be imported there, besides contracts. */
export const PURE_MODULES: readonly string[] = ['node:crypto', 'node:path', 'node:url']

const isPackage = ({ folder }: SourceFile): boolean => folder.startsWith('packages/')
const isService = ({ folder }: SourceFile): boolean => folder.startsWith('services/')

export const RULES: readonly Rule[] = [
  { name: 'contracts import no other package', forbids: (from) => from.folder === CONTRACTS },
  { name: 'config knows contracts only', forbids: (from, to) => from.folder === CONFIG && to.folder !== CONTRACTS },
  { name: 'tool-sandbox imports no other package', forbids: (from) => from.folder === TOOL_SANDBOX && !from.isTest },
  {
    name: 'the middle packages know contracts and config, and not each other',
    forbids: (from, to) =>
      MIDDLE.includes(from.folder) && !from.isTest && to.folder !== CONTRACTS && to.folder !== CONFIG,
  },
  {
    name: 'a package that combines others imports only the ones listed for it',
    forbids: (from, to) => {
      const allowed = COMBINING[from.folder]
      return allowed !== undefined && !from.isTest && ![CONTRACTS, CONFIG, ...allowed].includes(to.folder)
    },
  },
  { name: 'no package imports a service', forbids: (from, to) => isPackage(from) && isService(to) },
  {
    name: 'services do not import each other; the embedded one runs the others in one process',
    forbids: (from, to) => isService(from) && isService(to) && from.folder !== 'services/embedded',
  },
  {
    name: 'the api and the notifier import neither opencode, docker and workspace, nor git except its identities',
    forbids: (from, to) =>
      WITHOUT_WORK.includes(from.folder) && !from.isTest && WORK.includes(to.folder) && to.path !== GIT_IDENTITY,
  },
  {
    name: 'test doubles stay in tests',
    forbids: (from, to) => to.folder === TESTING && !from.isTest && (isPackage(from) || isService(from)),
  },
  { name: 'nothing imports the tests', forbids: (from, to) => to.folder === 'test' && from.folder !== 'test' },
]

/**
 * Services whose folders form layers: no import leads back into a folder that the importing one depends on. The files
 * beside the folders are a layer of their own, on top: they wire the service together.
 */
export const LAYERED_SERVICES: readonly string[] = [
  'services/api',
  'services/worker',
  'services/notifier',
  'services/docker-filter',
  'services/embedded',
]
