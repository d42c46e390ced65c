// Finds the work of removed directories that exists nowhere else: branches of tasks' clones, which the mirror stores, and
// branches, tags and stashes of the shared clone. It is lost when the clones of a repository are removed.

import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { GitOptions } from '../command/run.ts'
import { type ForeignCheckout, openForeign } from '../foreign/open-foreign.ts'
import { SNAPSHOT_OPTIONS } from '../foreign/snapshot.ts'
import { requireNoLinks } from '../untrusted/borrowed-objects.ts'
import { inspectClone } from '../untrusted/inspect-git-directory.ts'
import { type IsolatedRepository, openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { SWITCHYARD_REFS } from '../untrusted/switchyard-refs.ts'
import { writeBundle } from '../untrusted/write-bundle.ts'

export type StoredWork = {
  readonly mirrorObjects: string
  /** The registered branches, each with its commit. */
  readonly branches: ReadonlyMap<string, string>
  /** The directory of the shared clone, if there is one. */
  readonly shared?: string
}

export type CloneLoss = {
  readonly commits: number
  /** The names of the branches and tags that reach the commits. */
  readonly refs: readonly string[]
  readonly stashes: number
}

const OPTIONS: GitOptions = { timeoutMs: 5 * 60_000 }
const STASHES = `${SWITCHYARD_REFS}/stash/`
const REGISTERED = `${SWITCHYARD_REFS}/branches/`
const nameOf = (ref: string): string => ref.replace(/^refs\/(?:heads|tags|switchyard\/branches)\//, '')
/** How many names a description lists. */
const MAX_NAMES = 5

type OpenWork = {
  readonly isolated: IsolatedRepository
  /** All refs except those of remotes. */
  readonly refs: readonly string[]
  readonly stashes: number
  readonly close: () => Promise<void>
}

const lines = (items: readonly string[]): string => items.map((item) => `${item}\n`).join('')

const revisionLines = (refs: readonly string[], without: readonly string[]): string =>
  lines([...refs, ...without.map((commit) => `^${commit}`)])

const openShared = async (directory: string): Promise<ForeignCheckout> => {
  const gitDir = path.join(directory, '.git')
  await inspectClone(directory)
  await requireNoLinks(path.join(gitDir, 'objects'))
  return await openForeign(directory, { gitDir, commonDir: gitDir })
}

/** Opens an isolated repository with all stored work. The caller closes it. */
const open = async ({ mirrorObjects, branches, shared }: StoredWork): Promise<OpenWork> => {
  const [tip] = branches.values()
  const { isolated, stashes, close } =
    shared === undefined
      ? await openIsolatedRepository({ isSha256: tip?.length === 64 }).then((opened) => ({
          isolated: opened,
          stashes: 0,
          close: opened.close,
        }))
      : await openShared(shared)
  try {
    await mkdir(path.join(isolated.directory, 'objects', 'info'), { recursive: true })
    await writeFile(path.join(isolated.directory, 'objects', 'info', 'alternates'), `${mirrorObjects}\n`)
    if (branches.size > 0)
      await isolated.git(['update-ref', '--stdin'], {
        ...OPTIONS,
        input: lines([...branches].map(([branch, commit]) => `update ${REGISTERED}${branch} ${commit}`)),
      })
    const { stdout } = await isolated.git(['for-each-ref', '--format=%(refname)'], OPTIONS)
    const refs = stdout.toString('utf8').split('\n').filter(Boolean)
    return { isolated, refs: refs.filter((ref) => !ref.startsWith('refs/remotes/')), stashes, close }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * Returns what would be lost with the clones of a repository.
 *
 * @param used - branches of worktrees and clones that stay or were saved
 * @param remoteTips - commits that the remote has
 * @throws SwitchyardError `repository_unavailable` when an agent damaged the shared clone; `call_timeout`
 */
export const readCloneLoss = async (
  work: StoredWork,
  used: readonly string[],
  remoteTips: readonly string[],
): Promise<CloneLoss> => {
  const { isolated, refs, stashes, close } = await open(work)
  try {
    const isUsed = new Set(used.flatMap((branch) => [`refs/heads/${branch}`, `${REGISTERED}${branch}`]))
    const unused = refs.filter((ref) => !ref.startsWith(STASHES) && !isUsed.has(ref))
    if (unused.length === 0) return { commits: 0, refs: [], stashes }
    // Prints for each commit one ref that reaches it.
    const { stdout } = await isolated.git(['log', '--source', '--format=%S', '--ignore-missing', '--stdin'], {
      ...OPTIONS,
      input: revisionLines(unused, [...remoteTips, ...refs.filter((ref) => isUsed.has(ref))]),
    })
    const found = stdout.toString('utf8').split('\n').filter(Boolean)
    return { commits: found.length, refs: [...new Set(found.map(nameOf))].toSorted(), stashes }
  } finally {
    await close()
  }
}

/**
 * Writes a bundle of all stored work: branches as `refs/heads/<branch>`, tags, and stashes as
 * `refs/switchyard/stash/<n>`, newest first.
 *
 * @param without - commits to omit with all their ancestors; a repository needs them to use the bundle
 * @throws SwitchyardError as `readCloneLoss`; `disk_full`, `directory_unwritable`
 */
export const bundleClone = async (work: StoredWork, file: string, without: readonly string[]): Promise<void> => {
  const { isolated, refs, close } = await open(work)
  try {
    const registered = refs.filter((ref) => ref.startsWith(REGISTERED))
    const freeName = (ref: string) => {
      const name = `refs/heads/${nameOf(ref)}`
      return refs.some((other) => other === name || other.startsWith(`${name}/`) || name.startsWith(`${other}/`))
        ? ref
        : name
    }
    const renamed = new Map(registered.map((ref) => [ref, freeName(ref)]))
    for (const [ref, name] of renamed) if (ref !== name) await isolated.git(['update-ref', name, ref], OPTIONS)
    const input = revisionLines(
      refs.map((ref) => renamed.get(ref) ?? ref),
      without,
    )
    await writeBundle(isolated, file, ['--ignore-missing', '--stdin'], { ...SNAPSHOT_OPTIONS, input })
  } finally {
    await close()
  }
}

/** Describes a loss; null when nothing would be lost. */
export const describeCloneLoss = ({ commits, refs, stashes }: CloneLoss): string | null => {
  const names = refs.slice(0, MAX_NAMES)
  const more = refs.length > MAX_NAMES ? ` and ${refs.length - MAX_NAMES} more` : ''
  const parts = [
    ...(commits === 0
      ? []
      : [`${commits} unpushed ${commits === 1 ? 'commit' : 'commits'} on ${names.join(', ')}${more}`]),
    ...(stashes === 0 ? [] : [`${stashes} ${stashes === 1 ? 'stash' : 'stashes'}`]),
  ]
  return parts.length === 0 ? null : parts.join(', ')
}
