// What the shared clone of a project holds that is nowhere else: commits on branches and tags, and stashes. Agents make them in a
// worktree, and they stay in the clone when that goes; with the clone they would go too.

import type { GitOptions } from '../command/run.ts'
import { type ForeignCheckout, KEPT, openForeign } from '../foreign/open.ts'
import { SNAPSHOT_OPTIONS } from '../foreign/snapshot.ts'
import { writeBundle } from '../untrusted/write-bundle.ts'

export type CloneLoss = {
  readonly commits: number
  /** Branches and tags that lead to them, by their names. */
  readonly refs: readonly string[]
  readonly stashes: number
}

const OPTIONS: GitOptions = { timeoutMs: 5 * 60_000 }
const STASH = `${KEPT}/stash/`
/** Of names in a message. */
const NAMED = 5

/** Its own refs, stashes among them; not what it knows of remotes. */
const readRefs = async ({ own }: ForeignCheckout): Promise<readonly string[]> => {
  const { stdout } = await own.git(['for-each-ref', '--format=%(refname)'], OPTIONS)
  return stdout
    .toString('utf8')
    .split('\n')
    .filter((ref) => ref !== '' && !ref.startsWith('refs/remotes/'))
}

const lines = (refs: readonly string[], without: readonly string[]): string =>
  [...refs, ...without.map((commit) => `^${commit}`)].map((line) => `${line}\n`).join('')

/**
 * @param directory - the clone
 * @param safe - commits and refs that are kept elsewhere, with all that they come from; one that is not there is passed over
 * @throws SwitchyardError `repository_unavailable` where an agent damaged the clone, `call_timeout`
 */
export const readCloneLoss = async (directory: string, safe: readonly string[]): Promise<CloneLoss> => {
  const clone = await openForeign(directory)
  try {
    const refs = (await readRefs(clone)).filter((ref) => !ref.startsWith(STASH))
    if (refs.length === 0) return { commits: 0, refs: [], stashes: clone.stashes }
    // Each commit with one ref that leads to it.
    const { stdout } = await clone.own.git(['log', '--source', '--format=%S', '--ignore-missing', '--stdin'], {
      ...OPTIONS,
      input: lines(refs, safe),
    })
    const found = stdout.toString('utf8').split('\n').filter(Boolean)
    return { commits: found.length, refs: [...new Set(found)].toSorted(), stashes: clone.stashes }
  } finally {
    await clone.close()
  }
}

/**
 * Writes all branches, tags and stashes of the clone (`refs/switchyard/stash/<n>`, the newest 0) into one bundle.
 *
 * @param without - commits to leave out with all that they come from; the bundle then needs them where it is unpacked
 * @throws SwitchyardError as `readCloneLoss`, `disk_full`, `directory_unwritable`
 */
export const bundleClone = async (directory: string, file: string, without: readonly string[]): Promise<void> => {
  const clone = await openForeign(directory)
  try {
    const input = lines(await readRefs(clone), without)
    await writeBundle(clone.own, file, ['--ignore-missing', '--stdin'], { ...SNAPSHOT_OPTIONS, input })
  } finally {
    await clone.close()
  }
}

/** In words; null where nothing would be lost. */
export const describeCloneLoss = ({ commits, refs, stashes }: CloneLoss): string | null => {
  const names = refs.slice(0, NAMED).map((ref) => ref.replace(/^refs\/(heads|tags)\//, ''))
  const on = `on ${names.join(', ')}${refs.length > NAMED ? ` and ${refs.length - NAMED} more` : ''}`
  const parts = [
    ...(commits === 0 ? [] : [`${commits} ${commits === 1 ? 'commit' : 'commits'} ${on} that the remote has not`]),
    ...(stashes === 0 ? [] : [`${stashes} ${stashes === 1 ? 'stash' : 'stashes'}`]),
  ]
  return parts.length === 0 ? null : parts.join(', ')
}
