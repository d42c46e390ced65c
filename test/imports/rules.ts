// The import rule of the design: contracts <- everything; the middle packages do not know each other; services put them
// together; no package imports a service.

/** A workspace by its folder, such as `packages/queue`. */
type Rule = { readonly name: string; readonly forbids: (from: Place, to: Place) => boolean }

/** Where a file is: its workspace's folder, and whether it is a test. */
export type Place = { readonly folder: string; readonly isTest: boolean }

const MIDDLE = ['records', 'queue', 'opencode', 'docker', 'git', 'channels', 'process'].map(
  (name) => `packages/${name}`,
)
const CONTRACTS = 'packages/contracts'
const CONFIG = 'packages/config'
const TESTING = 'packages/testing'

const isPackage = ({ folder }: Place): boolean => folder.startsWith('packages/')
const isService = ({ folder }: Place): boolean => folder.startsWith('services/')

export const RULES: readonly Rule[] = [
  { name: 'contracts import nothing of ours', forbids: (from) => from.folder === CONTRACTS },
  { name: 'config knows contracts only', forbids: (from, to) => from.folder === CONFIG && to.folder !== CONTRACTS },
  {
    name: 'the middle packages know contracts and config, and not each other',
    forbids: (from, to) =>
      MIDDLE.includes(from.folder) && !from.isTest && to.folder !== CONTRACTS && to.folder !== CONFIG,
  },
  { name: 'no package imports a service', forbids: (from, to) => isPackage(from) && isService(to) },
  {
    name: 'services do not import each other; the embedded one holds the others in one process',
    forbids: (from, to) => isService(from) && isService(to) && from.folder !== 'services/embedded',
  },
  {
    name: 'test doubles stay in tests',
    forbids: (from, to) => to.folder === TESTING && !from.isTest && (isPackage(from) || isService(from)),
  },
  { name: 'nothing imports the tests', forbids: (from, to) => to.folder === 'test' && from.folder !== 'test' },
]
