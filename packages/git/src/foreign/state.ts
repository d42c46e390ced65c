// What there is to lose in a checkout that we did not make.

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { readRemoteUrl } from '../untrusted/git-directory.ts'
import { readGuarded } from '../untrusted/read-guarded.ts'
import { type ForeignCheckout, openForeign } from './open.ts'
import { findUncommitted } from './snapshot.ts'

export type ForeignState = {
  readonly directory: string
  /** Of its `origin`, or of its only remote, as it is written there: it may hold a password. Null without one. */
  readonly remote: string | null
  readonly head: string | null
  readonly branch: string | null
  /** When HEAD was committed, ISO 8601. */
  readonly lastCommitAt: string | null
  /** Commits of HEAD that are on no branch of a remote that it knows. */
  readonly unpushed: number
  /** Other local branches with such commits. */
  readonly unpushedBranches: readonly string[]
  readonly stashes: number
  /** Changed, deleted and untracked files. */
  readonly changed: number
  /** Changed files that are too large to be carried over, 512 MiB. */
  readonly tooLarge: readonly string[]
  /** There are so many untracked files that not all of them can be carried over. */
  readonly isTruncated: boolean
  /** Refs that lead to nothing. */
  readonly damaged: readonly string[]
  /** Its own linked worktrees: those that are there and name it in return. */
  readonly worktrees: readonly { readonly name: string; readonly directory: string }[]
  /** A merge, a rebase and the like that was begun and not ended. */
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
  const place = path.join(commonDir, 'worktrees')
  const found: { name: string; directory: string }[] = []
  for (const name of await readdir(place).catch(() => [])) {
    const gitDir = path.join(place, name)
    const link = (await readGuarded(path.join(gitDir, 'gitdir'))).trim()
    if (link === '') continue
    const directory = path.dirname(path.resolve(gitDir, link))
    // Else an agent's file could make us read any directory as if it were one of these.
    const back = (await readGuarded(path.join(directory, '.git'))).replace(/^gitdir:\s*/, '').trim()
    if (back !== '' && path.resolve(directory, back) === gitDir) found.push({ name, directory })
  }
  return found
}

/**
 * Reads a checkout as it is now. Nothing is written into it.
 *
 * @throws SwitchyardError as `openForeign`
 */
export const readForeign = async (directory: string): Promise<ForeignState> => {
  const checkout = await openForeign(directory)
  const { own, head, branch, gitDir } = checkout
  const text = async (args: readonly string[]) =>
    (await own.git(args, { timeoutMs: 60_000 })).stdout.toString('utf8').trim()
  const unpushedOf = async (commit: string) => Number(await text(['rev-list', '--count', commit, '--not', '--remotes']))
  try {
    const branches = (await text(['for-each-ref', '--format=%(refname)', 'refs/heads'])).split('\n').filter(Boolean)
    const others: string[] = []
    for (const ref of branches)
      if (ref !== `refs/heads/${branch}` && (await unpushedOf(ref)) > 0) others.push(ref.slice('refs/heads/'.length))
    const uncommitted = await findUncommitted(checkout)
    const marks = new Set(await readdir(gitDir))
    return {
      directory: checkout.directory,
      remote: (await readRemoteUrl(checkout.commonDir, own.directory)) ?? null,
      head,
      branch,
      lastCommitAt: head === null ? null : new Date(await text(['log', '-1', '--format=%cI', head])).toISOString(),
      unpushed: head === null ? 0 : await unpushedOf(head),
      unpushedBranches: others,
      stashes: checkout.stashes,
      changed: uncommitted.names.length + uncommitted.left.length,
      tooLarge: uncommitted.left,
      isTruncated: uncommitted.isTruncated,
      damaged: checkout.damaged,
      worktrees: await findWorktrees(checkout),
      unfinished: Object.entries(UNFINISHED).find(([mark]) => marks.has(mark))?.[1] ?? null,
    }
  } finally {
    await checkout.close()
  }
}
