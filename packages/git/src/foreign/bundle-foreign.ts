// Writes bundles of checkouts that Switchyard did not create.

import { writeFile } from 'node:fs/promises'
import type { GitDirectory } from '../untrusted/git-directory.ts'
import { HEAD_REF, WORKTREE_REF } from '../untrusted/switchyard-refs.ts'
import { writeBundle } from '../untrusted/write-bundle.ts'
import { openForeign } from './open-foreign.ts'
import { commitUncommitted, findUncommitted, SNAPSHOT_OPTIONS, startOf } from './snapshot.ts'

export type ForeignBundle = {
  /** False when there was neither a commit nor a file to save. */
  readonly isWritten: boolean
  readonly refs: readonly string[]
  readonly changed: number
}

/**
 * Writes a bundle of everything in a checkout: all refs, the stashes as `refs/switchyard/stash/<n>`, a detached HEAD as
 * `refs/switchyard/head`, and uncommitted changes as `refs/switchyard/worktree`. Files appear only when they are
 * complete.
 *
 * @param files.patch - where to write uncommitted changes as a patch for people to read, if there are any
 * @throws SwitchyardError as `openForeign`; `disk_full`, `directory_unwritable`; `repository_*` when objects are missing
 */
export const bundleForeign = async (
  directory: string,
  files: { readonly bundle: string; readonly patch: string },
): Promise<ForeignBundle> => {
  const checkout = await openForeign(directory)
  const { isolated } = checkout
  try {
    const uncommitted = await findUncommitted(checkout)
    const snapshot = await commitUncommitted(checkout, uncommitted)
    if (snapshot !== null) {
      await isolated.git(['update-ref', WORKTREE_REF, snapshot], SNAPSHOT_OPTIONS)
      const args = ['diff', '--binary', '--no-ext-diff', await startOf(checkout), snapshot]
      const { stdout } = await isolated.git(args, SNAPSHOT_OPTIONS)
      await writeFile(files.patch, stdout, { mode: 0o600 })
    }
    const { stdout } = await isolated.git(['for-each-ref', '--format=%(refname)'], SNAPSHOT_OPTIONS)
    const refs = stdout.toString('utf8').split('\n').filter(Boolean)
    if (refs.length > 0) await writeBundle(isolated, files.bundle, ['--all'], SNAPSHOT_OPTIONS)
    return { isWritten: refs.length > 0, refs, changed: uncommitted.names.length }
  } finally {
    await checkout.close()
  }
}

/**
 * Writes a bundle for `importBundle`: HEAD as `refs/switchyard/head`, and uncommitted changes on top of it as
 * `refs/switchyard/worktree`.
 *
 * @param options.isThin - omit what the remote had at the last fetch. The bundle is much smaller, but only a repository
 *   with those commits can use it.
 * @param options.gitDirectory - the git directory of a checkout that an agent writes to
 * @returns the commit of HEAD; null when there is no commit, and no bundle
 * @throws SwitchyardError as `bundleForeign`
 */
export const bundleHead = async (
  directory: string,
  file: string,
  { isThin, gitDirectory }: { readonly isThin: boolean; readonly gitDirectory?: GitDirectory },
): Promise<string | null> => {
  const checkout = await openForeign(directory, gitDirectory)
  const { isolated, head } = checkout
  const run = async (args: readonly string[]) => (await isolated.git(args, SNAPSHOT_OPTIONS)).stdout
  try {
    if (head === null) return null
    const snapshot = await commitUncommitted(checkout, await findUncommitted(checkout))
    await run(['update-ref', HEAD_REF, head])
    if (snapshot !== null) await run(['update-ref', WORKTREE_REF, snapshot])
    const tips = [HEAD_REF, ...(snapshot === null ? [] : [WORKTREE_REF])]
    const isPushed = (await run(['rev-list', '--max-count=1', head, '--not', '--remotes'])).length === 0
    // A pushed HEAD is not omitted: git writes no bundle when the other side has all refs.
    const without = isPushed ? [`^${head}^@`] : ['--not', '--remotes']
    await writeBundle(isolated, file, [...tips, ...(isThin ? without : [])], SNAPSHOT_OPTIONS)
    return head
  } finally {
    await checkout.close()
  }
}
