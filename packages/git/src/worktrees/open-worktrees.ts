// Opens the worktrees of a repository, and lists all repositories with their worktrees. Everything is read from files
// next to the mirrors, where no agent can write, so no database is needed.

import path from 'node:path'
import { IndexCache } from '../changes/index-cache.ts'
import type { Clones } from '../clones/clones.ts'
import { listMirrors } from '../clones/mirror-url.ts'
import type { RepositoryIdentity } from '../identity/identity.ts'
import { type WorktreeRecord, WorktreeRecords } from './worktree-records.ts'
import { Worktrees } from './worktrees.ts'

export type MirroredRepository = {
  readonly identity: RepositoryIdentity
  readonly worktrees: readonly WorktreeRecord[]
}

/** Returns the directories with the records and the cached indexes of a repository's worktrees. */
export const worktreeDirectories = (mirrorsDir: string, { slug }: RepositoryIdentity) => ({
  records: path.join(mirrorsDir, `${slug}.worktrees`),
  indexes: path.join(mirrorsDir, `${slug}.indexes`),
})

/** Returns the repositories that have a mirror, each with its worktrees. */
export const listMirroredRepositories = async (mirrorsDir: string): Promise<readonly MirroredRepository[]> => {
  const found: MirroredRepository[] = []
  for (const identity of await listMirrors(mirrorsDir)) {
    const records = new WorktreeRecords(worktreeDirectories(mirrorsDir, identity).records)
    found.push({ identity, worktrees: await records.all() })
  }
  return found
}

export const openWorktrees = (clones: Clones, identity: RepositoryIdentity): Worktrees => {
  const { records, indexes } = worktreeDirectories(clones.mirrorsDir, identity)
  const shared = clones.shared(identity)
  return new Worktrees({
    mirror: clones.mirror(identity),
    shared,
    store: clones.objectStore(identity),
    registry: clones.registry(identity),
    url: identity.displayUrl,
    createShared: async (signal = new AbortController().signal) => {
      if (!shared.exists) await clones.lock(`shared:${identity.key}`, () => shared.update(signal))
    },
    records: new WorktreeRecords(records),
    indexes: new IndexCache(indexes),
    lock: (work) => clones.lock(`worktrees:${identity.key}`, work),
    isWorktree: async (directory) =>
      (await listMirroredRepositories(clones.mirrorsDir)).some(({ worktrees }) =>
        worktrees.some((record) => record.directory === directory),
      ),
  })
}

/**
 * Updates the mirror, the object store and the shared clone; see `Repositories.fetch`.
 *
 * @throws SwitchyardError as `Repositories.fetch`
 */
export const fetchRepository = async (
  clones: Clones,
  identity: RepositoryIdentity,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> => {
  await clones.fetch(identity, () => openWorktrees(clones, identity).basesOfClones(), options)
}
