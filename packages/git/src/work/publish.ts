// Publishes the work in a directory: commits what was not committed, and pushes it to a branch of the remote. All of it
// happens in an isolated repository, so nothing that an agent wrote runs, and the directory's own refs stay as they are.

import { createHash } from 'node:crypto'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import type { Connection } from '../access/connection.ts'
import type { Mirror } from '../clones/mirror.ts'
import { push } from '../clones/push.ts'
import { SWITCHYARD_AUTHOR } from '../clones/scratch.ts'
import type { GitOptions } from '../command/run.ts'
import type { GitDirectory } from '../untrusted/git-directory.ts'
import { type IsolatedRepository, openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { readHead } from '../untrusted/refs.ts'
import { NO_LINE_END_CONVERSION, writeWorkTree } from './commit-work.ts'

export type PublishRequest = {
  readonly directory: string
  /** The branch of the remote. It is created if it does not exist. */
  readonly branch: string
  /** The message of the commit with uncommitted changes. */
  readonly message?: string
  /** The author of that commit; default: Switchyard. */
  readonly author?: { readonly name: string; readonly email: string }
  /** Whether to commit uncommitted changes; default true. */
  readonly commitAll?: boolean
  /** Replace the branch if it has not changed since the last fetch; default false: only add commits to it. */
  readonly force?: boolean
  readonly signal?: AbortSignal
}

export type Published = {
  readonly branch: string
  /** The commit with this work. It is the tip of the remote branch unless others have added commits. */
  readonly commit: string
  /** False when the remote already had all of it. */
  readonly pushed: boolean
  /** How many commits the remote did not have. */
  readonly commits: number
  /** Files over 512 MiB, which were not committed. */
  readonly leftOut: readonly string[]
}

const TIMEOUT_MS = 5 * 60_000
const DEFAULT_MESSAGE = 'Publish the work of an agent'

/** Returns the name under which the mirror stores what was last published from a directory to a branch. */
const storedName = (directory: string, branch: string): string =>
  `published/${createHash('sha256').update(`${directory}\0${branch}`).digest('hex').slice(0, 32)}`

const isAncestor = async (
  isolated: IsolatedRepository,
  commit: string,
  descendant: string,
  options: GitOptions,
): Promise<boolean> => {
  const args = ['merge-base', '--is-ancestor', commit, descendant]
  return (await isolated.git(args, { ...options, okCodes: [0, 1, 128] })).code === 0
}

/** Returns the parents of a new commit: the directory's HEAD, and what was published from the directory before. */
const parentsOf = async (
  isolated: IsolatedRepository,
  head: string,
  published: string | undefined,
  options: GitOptions,
) => {
  if (published === undefined || published === head) return [head]
  if (await isAncestor(isolated, head, published, options)) return [published]
  return (await isAncestor(isolated, published, head, options)) ? [head] : [head, published]
}

type Start = {
  readonly head: string
  /** The tip of the remote branch, if all of it was published from this directory. */
  readonly published: string | undefined
  /** The last commit that was created to be published, whether or not the remote accepted it. */
  readonly last: string | undefined
}

const commitWork = async (
  isolated: IsolatedRepository,
  request: PublishRequest,
  { head, published, last }: Start,
  options: GitOptions,
): Promise<{ readonly tip: string; readonly leftOut: readonly string[] }> => {
  if (request.commitAll === false) return { tip: head, leftOut: [] }
  const { tree, leftOut, isTruncated } = await writeWorkTree(isolated, request.directory, head, options)
  if (isTruncated)
    throw new SwitchyardError('not_supported', `${request.directory} has too many untracked files to publish`, {
      hint: 'List files that are not source in .gitignore, or commit them in the directory.',
    })
  const parents = await parentsOf(isolated, head, published, options)
  const [first] = parents
  if (first !== undefined && parents.length === 1) {
    const firstTree = await isolated.line(['rev-parse', `${first}^{tree}`], options)
    if (tree === firstTree) return { tip: first, leftOut }
  }
  // Reuses the last commit if it is the same: a repeated call must not create a second one.
  const content = [tree, ...parents].join(' ')
  if (last && content === (await isolated.line(['show', '-s', '--format=%T %P', last], options)))
    return { tip: last, leftOut }
  const { message = DEFAULT_MESSAGE, author } = request
  const env = author ? { GIT_AUTHOR_NAME: author.name, GIT_AUTHOR_EMAIL: author.email } : {}
  const args = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-F', '-']
  const input = `${message.trim() || DEFAULT_MESSAGE}\n`
  return { tip: await isolated.line(args, { ...options, env, input }), leftOut }
}

/** The remote to publish to, and the git directory to publish from. */
export type PublishTarget = {
  readonly mirror: Mirror
  readonly connection: Connection
  readonly gitDirectory: GitDirectory
  /** Runs `work` while nobody fetches into the mirror. */
  readonly lock: <T>(work: () => Promise<T>) => Promise<T>
}

/** Publishes the work in a directory; see `RepositoryWork.publish`. */
export const publish = async (target: PublishTarget, given: PublishRequest): Promise<Published> => {
  const { mirror, connection, gitDirectory, lock } = target
  const { branch, signal, force = false } = given
  const directory = path.resolve(given.directory)
  const { commit: head } = await readHead(gitDirectory)
  if (head === undefined) throw new SwitchyardError('workspace_gone', `${directory} has no commit to publish`)
  const isolated = await openIsolatedRepository({
    objectDirs: [mirror.objectDirectory, path.join(gitDirectory.commonDir, 'objects')],
    workTree: directory,
    isSha256: head.length === 64,
  })
  const options: GitOptions = {
    timeoutMs: TIMEOUT_MS,
    config: [...SWITCHYARD_AUTHOR, ...NO_LINE_END_CONVERSION],
    ...(signal ? { signal } : {}),
  }
  try {
    const name = storedName(directory, branch)
    const [remoteTip, last, defaultTip, tips = []] = await Promise.all([
      mirror.branchTip(branch, signal),
      mirror.storedCommit(name, signal),
      mirror.defaultTip(signal),
      mirror.tips(signal),
    ])
    // Commits that others added to the branch cannot be a parent: our tree would undo their changes.
    const isOurs =
      remoteTip !== undefined && last !== undefined && (await isAncestor(isolated, remoteTip, last, options))
    const start = { head, published: isOurs ? remoteTip : undefined, last }
    const { tip, leftOut } = await commitWork(isolated, { ...given, directory }, start, options)
    const count = await isolated.line(['rev-list', '--count', '--stdin'], {
      ...options,
      input: [tip, ...tips.map((other) => `^${other}`)].map((line) => `${line}\n`).join(''),
    })
    const published = { branch, commit: tip, commits: Number(count), leftOut }
    const existing = remoteTip ?? defaultTip
    const isReplacing = force && remoteTip !== undefined && remoteTip !== tip
    if (!isReplacing && existing !== undefined && (await isAncestor(isolated, tip, existing, options)))
      return { ...published, pushed: false }
    // Stored before the push, so that a call after a crash pushes the same commit.
    await mirror.storeCommit(isolated, tip, name, signal)
    const pushed = await push(isolated, connection, {
      commit: tip,
      branch,
      ...(force ? { replaces: remoteTip ?? null } : {}),
      ...(signal ? { signal } : {}),
    })
    await lock(() => mirror.setBranch(branch, tip, signal))
    return { ...published, pushed }
  } finally {
    await isolated.close()
  }
}
