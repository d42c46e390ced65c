// The repositories that we keep mirrors of, and the worktrees made of them: read where no agent can write, so that they are known
// without a database.

import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { isSwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl, type RepositoryIdentity } from '../identity/identity.ts'
import { readGuarded } from '../untrusted/read-guarded.ts'
import { type WorktreeRecord, WorktreeRecords } from './worktree-records.ts'

const URL_FILE = 'switchyard-url'
const MIRROR = '.git'

/** Keeps the URL of a mirror in it; it holds no credentials. */
export const noteUrl = async (mirror: string, { displayUrl }: RepositoryIdentity): Promise<void> => {
  await writeFile(path.join(mirror, URL_FILE), `${displayUrl}\n`)
}

const identityOf = (url: string): RepositoryIdentity | undefined => {
  try {
    return parseRepositoryUrl(url)
  } catch (error) {
    if (isSwitchyardError(error)) return undefined
    throw error
  }
}

export type KeptRepository = {
  readonly identity: RepositoryIdentity
  readonly worktrees: readonly WorktreeRecord[]
}

/** What is kept beside the mirror of a repository: what was made of it, and the indexes of that. */
export const besideMirror = (mirrorsDir: string, { slug }: RepositoryIdentity) => ({
  worktrees: path.join(mirrorsDir, `${slug}.worktrees`),
  indexes: path.join(mirrorsDir, `${slug}.indexes`),
})

/** Those whose URL is known, which is since their last fetch. */
export const keptRepositories = async (mirrorsDir: string): Promise<readonly KeptRepository[]> => {
  const kept: KeptRepository[] = []
  for (const name of await readdir(mirrorsDir).catch(() => [])) {
    if (!name.endsWith(MIRROR)) continue
    const identity = identityOf((await readGuarded(path.join(mirrorsDir, name, URL_FILE))).trim())
    if (identity && `${identity.slug}${MIRROR}` === name)
      kept.push({ identity, worktrees: await new WorktreeRecords(besideMirror(mirrorsDir, identity).worktrees).all() })
  }
  return kept
}
