// Finds what exists only in the shared clone of a project: commits on branches and tags, and stashes. Agents create them
// in a worktree; they stay in the clone when the worktree is removed, and are lost with the clone.

import type { GitOptions } from '../command/run.ts'
import { type ForeignCheckout, openForeign } from '../foreign/open-foreign.ts'
import { SNAPSHOT_OPTIONS } from '../foreign/snapshot.ts'
import { SWITCHYARD_REFS } from '../untrusted/switchyard-refs.ts'
import { writeBundle } from '../untrusted/write-bundle.ts'

export type CloneLoss = {
  readonly commits: number
  /** The branches and tags that reach the commits. */
  readonly refs: readonly string[]
  readonly stashes: number
}

const OPTIONS: GitOptions = { timeoutMs: 5 * 60_000 }
const STASHES = `${SWITCHYARD_REFS}/stash/`
/** How many names a description lists. */
const MAX_NAMES = 5

/** Returns all refs except those of remotes. */
const localRefs = async ({ isolated }: ForeignCheckout): Promise<readonly string[]> => {
  const { stdout } = await isolated.git(['for-each-ref', '--format=%(refname)'], OPTIONS)
  return stdout
    .toString('utf8')
    .split('\n')
    .filter((ref) => ref !== '' && !ref.startsWith('refs/remotes/'))
}

const revisionLines = (refs: readonly string[], without: readonly string[]): string =>
  [...refs, ...without.map((commit) => `^${commit}`)].map((line) => `${line}\n`).join('')

/**
 * Returns what would be lost with a clone.
 *
 * @param directory - the clone
 * @param safe - commits and refs that exist elsewhere, with all their ancestors; missing ones are ignored
 * @throws SwitchyardError `repository_unavailable` when an agent damaged the clone; `call_timeout`
 */
export const readCloneLoss = async (directory: string, safe: readonly string[]): Promise<CloneLoss> => {
  const clone = await openForeign(directory)
  try {
    const refs = (await localRefs(clone)).filter((ref) => !ref.startsWith(STASHES))
    if (refs.length === 0) return { commits: 0, refs: [], stashes: clone.stashes }
    // Prints for each commit one ref that reaches it.
    const { stdout } = await clone.isolated.git(['log', '--source', '--format=%S', '--ignore-missing', '--stdin'], {
      ...OPTIONS,
      input: revisionLines(refs, safe),
    })
    const found = stdout.toString('utf8').split('\n').filter(Boolean)
    return { commits: found.length, refs: [...new Set(found)].toSorted(), stashes: clone.stashes }
  } finally {
    await clone.close()
  }
}

/**
 * Writes a bundle of all branches and tags of a clone, and of its stashes as `refs/switchyard/stash/<n>`, newest first.
 *
 * @param without - commits to omit with all their ancestors; a repository needs them to use the bundle
 * @throws SwitchyardError as `readCloneLoss`; `disk_full`, `directory_unwritable`
 */
export const bundleClone = async (directory: string, file: string, without: readonly string[]): Promise<void> => {
  const clone = await openForeign(directory)
  try {
    const input = revisionLines(await localRefs(clone), without)
    await writeBundle(clone.isolated, file, ['--ignore-missing', '--stdin'], { ...SNAPSHOT_OPTIONS, input })
  } finally {
    await clone.close()
  }
}

/** Describes a loss; null when nothing would be lost. */
export const describeCloneLoss = ({ commits, refs, stashes }: CloneLoss): string | null => {
  const names = refs.slice(0, MAX_NAMES).map((ref) => ref.replace(/^refs\/(heads|tags)\//, ''))
  const more = refs.length > MAX_NAMES ? ` and ${refs.length - MAX_NAMES} more` : ''
  const parts = [
    ...(commits === 0
      ? []
      : [`${commits} unpushed ${commits === 1 ? 'commit' : 'commits'} on ${names.join(', ')}${more}`]),
    ...(stashes === 0 ? [] : [`${stashes} ${stashes === 1 ? 'stash' : 'stashes'}`]),
  ]
  return parts.length === 0 ? null : parts.join(', ')
}
