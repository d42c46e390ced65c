// Repositories for the worker: identities, clones, worktrees, diffs, and a safe look into what an agent wrote.

export { isValidBase, isValidBranch } from './branch.ts'
export { type BundleRequest, bundleWork } from './bundle.ts'
export { type Diff, type DiffRequest, diffAgainst } from './diff.ts'
export { listFiles, readFile } from './files.ts'
export { bundleForeign, bundleHead } from './foreign/bundle.ts'
export { type ForeignState, readForeign } from './foreign/state.ts'
export { parseRepositoryUrl, projectName, type RepositoryIdentity, type RepositoryKind } from './identity.ts'
export type { Imported } from './import-bundle.ts'
export { Repositories, type RepositoriesOptions } from './repositories.ts'
export { type Checkout, createScratch } from './scratch.ts'
export { clearStaging } from './staging.ts'
export type { WorktreeRequest } from './worktrees.ts'
