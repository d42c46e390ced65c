// Saves everything of a checkout that we did not make: all refs, stashes, and what was never committed.

import { writeFile } from 'node:fs/promises'
import type { GitPlace } from '../untrusted/git-directory.ts'
import { writeBundle } from '../untrusted/write-bundle.ts'
import { KEPT, openForeign } from './open.ts'
import { commitUncommitted, findUncommitted, SNAPSHOT_OPTIONS, startOf } from './snapshot.ts'

/** Where a bundle for `importBundle` has its commits, and what was not committed: one commit on top of them. */
export const HEAD_REF = `${KEPT}/head`
export const WORKTREE_REF = `${KEPT}/worktree`

export type ForeignBundle = {
  /** False where there is nothing to save: no commit and no file. */
  readonly isWritten: boolean
  readonly refs: readonly string[]
  readonly changed: number
}

/**
 * Writes `bundle` (all refs; `refs/switchyard/stash/<n>`, `…/head` where it is detached, `…/worktree` with what was not
 * committed) and, where something was not committed, `patch` for people to read. Whole or not at all.
 *
 * @throws SwitchyardError as `openForeign`, and `disk_full`, `directory_unwritable`, `repository_*` where objects are missing
 */
export const bundleForeign = async (
  directory: string,
  files: { readonly bundle: string; readonly patch: string },
): Promise<ForeignBundle> => {
  const checkout = await openForeign(directory)
  const { own } = checkout
  try {
    const uncommitted = await findUncommitted(checkout)
    const snapshot = await commitUncommitted(checkout, uncommitted)
    if (snapshot !== null) {
      await own.git(['update-ref', WORKTREE_REF, snapshot], SNAPSHOT_OPTIONS)
      const what = ['diff', '--binary', '--no-ext-diff', await startOf(checkout), snapshot]
      const { stdout } = await own.git(what, SNAPSHOT_OPTIONS)
      await writeFile(files.patch, stdout, { mode: 0o600 })
    }
    const told = await own.git(['for-each-ref', '--format=%(refname)'], SNAPSHOT_OPTIONS)
    const refs = told.stdout.toString('utf8').split('\n').filter(Boolean)
    if (refs.length > 0) await writeBundle(own, files.bundle, ['--all'], SNAPSHOT_OPTIONS)
    return { isWritten: refs.length > 0, refs, changed: uncommitted.names.length }
  } finally {
    await checkout.close()
  }
}

/**
 * Writes what `importBundle` takes: HEAD as `refs/switchyard/head`, and as `…/worktree` what was not committed on top of it.
 *
 * @param isThin - leave out what its remote had when it was last fetched: much smaller, and only for a repository that has that
 * @param place - where its commits are, for a directory that an agent writes to
 * @returns its commit; null where there is none at all, and no bundle
 * @throws SwitchyardError as `bundleForeign`
 */
export const bundleHead = async (
  directory: string,
  file: string,
  { isThin, place }: { readonly isThin: boolean; readonly place?: GitPlace },
): Promise<string | null> => {
  const checkout = await openForeign(directory, place)
  const { own, head } = checkout
  const run = async (args: readonly string[]) => (await own.git(args, SNAPSHOT_OPTIONS)).stdout
  try {
    if (head === null) return null
    const snapshot = await commitUncommitted(checkout, await findUncommitted(checkout))
    await run(['update-ref', HEAD_REF, head])
    if (snapshot !== null) await run(['update-ref', WORKTREE_REF, snapshot])
    const tips = [HEAD_REF, ...(snapshot === null ? [] : [WORKTREE_REF])]
    const isPushed = (await run(['rev-list', '--max-count=1', head, '--not', '--remotes'])).length === 0
    // HEAD stays in where its remote has it: git makes no bundle of refs that the other side has all of.
    const without = isPushed ? [`^${head}^@`] : ['--not', '--remotes']
    await writeBundle(own, file, [...tips, ...(isThin ? without : [])], SNAPSHOT_OPTIONS)
    return head
  } finally {
    await checkout.close()
  }
}
