// Reports the state of a checkout that Switchyard did not create, and what would be lost with it.

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { readUntrustedFile } from '../untrusted/read-untrusted-file.ts'
import { readRemoteUrl } from '../untrusted/remote-url.ts'
import { type ForeignCheckout, openForeign } from './open-foreign.ts'
import { findUncommitted } from './snapshot.ts'

export type ForeignState = {
  readonly directory: string
  /** The URL of `origin`, or of the only remote, as configured. It may contain a password. Null without a remote. */
  readonly remote: string | null
  readonly head: string | null
  readonly branch: string | null
  /** When HEAD was committed, ISO 8601. */
  readonly lastCommitAt: string | null
  /** How many commits of HEAD are on no remote branch that the checkout knows. */
  readonly unpushed: number
  /** Other local branches that have such commits. */
  readonly unpushedBranches: readonly string[]
  readonly stashes: number
  /** How many files are changed, deleted or untracked. */
  readonly changed: number
  /** Changed files over 512 MiB, which are too large to copy. */
  readonly tooLarge: readonly string[]
  /** True when there are more untracked files than can be copied. */
  readonly isTruncated: boolean
  /** Refs whose commits are missing. */
  readonly damaged: readonly string[]
  /** The linked worktrees of this repository that exist and name the repository in return. */
  readonly worktrees: readonly { readonly name: string; readonly directory: string }[]
  /** The operation that was started and not completed, such as `merge` or `rebase`. */
  readonly unfinished: string | null
}

const UNFINISHED: Readonly<Record<string, string>> = {
  MERGE_HEAD: 'merge',
  CHERRY_PICK_HEAD: 'cherry-pick',
  REVERT_HEAD: 'revert',
  'rebase-merge': 'rebase',
  'rebase-apply': 'rebase',
}

const findWorktrees = async ({ commonDir }: ForeignCheckout): Promise<ForeignState['worktrees']> => {
  const entries = path.join(commonDir, 'worktrees')
  const found: { name: string; directory: string }[] = []
  for (const name of await readdir(entries).catch(() => [])) {
    const gitDir = path.join(entries, name)
    const link = (await readUntrustedFile(path.join(gitDir, 'gitdir'))).trim()
    if (link === '') continue
    const directory = path.dirname(path.resolve(gitDir, link))
    // Without this check an agent could make us read any directory as a worktree.
    const back = (await readUntrustedFile(path.join(directory, '.git'))).replace(/^gitdir:\s*/, '').trim()
    if (back !== '' && path.resolve(directory, back) === gitDir) found.push({ name, directory })
  }
  return found
}

/**
 * Returns the current state of a checkout. Nothing is written to it.
 *
 * @throws SwitchyardError as `openForeign`
 */
export const readForeign = async (directory: string): Promise<ForeignState> => {
  const checkout = await openForeign(directory)
  const { isolated, head, branch, gitDir } = checkout
  const text = (args: readonly string[]) => isolated.line(args, { timeoutMs: 60_000 })
  const unpushedOf = async (commit: string) => Number(await text(['rev-list', '--count', commit, '--not', '--remotes']))
  try {
    const branches = (await text(['for-each-ref', '--format=%(refname)', 'refs/heads'])).split('\n').filter(Boolean)
    const others: string[] = []
    for (const ref of branches)
      if (ref !== `refs/heads/${branch}` && (await unpushedOf(ref)) > 0) others.push(ref.slice('refs/heads/'.length))
    const uncommitted = await findUncommitted(checkout)
    const files = new Set(await readdir(gitDir))
    return {
      directory: checkout.directory,
      remote: (await readRemoteUrl(checkout.commonDir, isolated.directory)) ?? null,
      head,
      branch,
      lastCommitAt: head === null ? null : new Date(await text(['log', '-1', '--format=%cI', head])).toISOString(),
      unpushed: head === null ? 0 : await unpushedOf(head),
      unpushedBranches: others,
      stashes: checkout.stashes,
      changed: uncommitted.names.length + uncommitted.tooLarge.length,
      tooLarge: uncommitted.tooLarge,
      isTruncated: uncommitted.isTruncated,
      damaged: checkout.damaged,
      worktrees: await findWorktrees(checkout),
      unfinished: Object.entries(UNFINISHED).find(([name]) => files.has(name))?.[1] ?? null,
    }
  } finally {
    await checkout.close()
  }
}
