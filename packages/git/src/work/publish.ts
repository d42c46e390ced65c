// Publishes the work in a directory: commits what was not committed, and pushes it to a branch of the remote. All of it
// through a repository of our own, so that nothing an agent wrote is executed, and none of its refs moves.

import { createHash } from 'node:crypto'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import type { Connection } from '../access/connection.ts'
import type { Mirror } from '../clones/mirror.ts'
import { push } from '../clones/push.ts'
import { IDENTITY } from '../clones/scratch.ts'
import type { GitOptions } from '../command/run.ts'
import { type GitPlace, readHead } from '../untrusted/git-directory.ts'
import { type OwnRepository, openOwnRepository } from '../untrusted/isolated-repository.ts'
import { AS_THEY_ARE, lineOf, writeWorkTree } from './commit-work.ts'

export type PublishRequest = {
  readonly directory: string
  /** The branch of the remote; made where there is none. */
  readonly branch: string
  /** Of the commit that is made of what was not committed. */
  readonly message?: string
  /** Of that commit; default: Switchyard. */
  readonly author?: { readonly name: string; readonly email: string }
  /** False: only what was committed already. Default true. */
  readonly commitAll?: boolean
  /** Replace what the branch has, as long as that is what the last fetch saw. Default: only add to it. */
  readonly force?: boolean
  readonly signal?: AbortSignal
}

export type Published = {
  readonly branch: string
  /** The branch's tip on the remote, or what it holds of this work where others have added to it. */
  readonly commit: string
  /** False: the remote had all of it already. */
  readonly pushed: boolean
  /** How many commits the remote had not. */
  readonly commits: number
  /** Files over 512 MiB, which were not committed. */
  readonly leftOut: readonly string[]
}

const TIMEOUT_MS = 5 * 60_000
const MESSAGE = 'Publish the work of an agent'

/** What was published from one directory to one branch is known again by this. */
const nameOf = (directory: string, branch: string): string =>
  `published/${createHash('sha256').update(`${directory}\0${branch}`).digest('hex').slice(0, 32)}`

const isAncestor = async (own: OwnRepository, commit: string, of: string, options: GitOptions): Promise<boolean> =>
  (await own.git(['merge-base', '--is-ancestor', commit, of], { ...options, okCodes: [0, 1, 128] })).code === 0

/** The commits that the work goes on from: its own, and what was published from here before. */
const parentsOf = async (own: OwnRepository, head: string, published: string | undefined, options: GitOptions) => {
  if (published === undefined || published === head) return [head]
  if (await isAncestor(own, head, published, options)) return [published]
  return (await isAncestor(own, published, head, options)) ? [head] : [head, published]
}

type Begun = {
  readonly head: string
  /** What the remote's branch has, if all of it was published from here. */
  readonly published: string | undefined
  /** The last commit that was made here to be published, whether or not the remote took it. */
  readonly last: string | undefined
}

const commitWork = async (
  own: OwnRepository,
  request: PublishRequest,
  { head, published, last }: Begun,
  options: GitOptions,
): Promise<{ readonly tip: string; readonly leftOut: readonly string[] }> => {
  if (request.commitAll === false) return { tip: head, leftOut: [] }
  const { tree, leftOut, isTruncated } = await writeWorkTree(own, request.directory, head, options)
  if (isTruncated)
    throw new SwitchyardError('not_supported', `${request.directory} has more untracked files than can be published`, {
      hint: 'Name what is no source in .gitignore, or commit it in the directory.',
    })
  const parents = await parentsOf(own, head, published, options)
  const treeOf = (commit: string) => lineOf(own, ['rev-parse', `${commit}^{tree}`], options)
  const [only] = parents
  if (only !== undefined && parents.length === 1 && tree === (await treeOf(only))) return { tip: only, leftOut }
  // Repeated, it is the same commit and not a second one beside it.
  const same = [tree, ...parents].join(' ')
  if (last && same === (await lineOf(own, ['show', '-s', '--format=%T %P', last], options)))
    return { tip: last, leftOut }
  const { message = MESSAGE, author } = request
  const env = author ? { GIT_AUTHOR_NAME: author.name, GIT_AUTHOR_EMAIL: author.email } : {}
  const args = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-F', '-']
  return { tip: await lineOf(own, args, { ...options, env, input: `${message.trim() || MESSAGE}\n` }), leftOut }
}

/** The part of a remote that publishing needs. */
export type PublishTarget = {
  readonly mirror: Mirror
  readonly connection: Connection
  /** Where the directory's commits are. */
  readonly place: GitPlace
  /** Runs `work` while nobody fetches into the mirror. */
  readonly lock: <T>(work: () => Promise<T>) => Promise<T>
}

/** See `Repositories.publish`. */
export const publish = async (target: PublishTarget, given: PublishRequest): Promise<Published> => {
  const { mirror, connection, place, lock } = target
  const { branch, signal, force = false } = given
  const directory = path.resolve(given.directory)
  const { commit: head } = await readHead(place)
  if (head === undefined) throw new SwitchyardError('workspace_gone', `${directory} holds no commit to publish`)
  const own = await openOwnRepository({
    objectDirs: [mirror.objectDirectory, path.join(place.commonDir, 'objects')],
    workTree: directory,
    isSha256: head.length === 64,
  })
  const options: GitOptions = {
    timeoutMs: TIMEOUT_MS,
    config: [...IDENTITY, ...AS_THEY_ARE],
    ...(signal ? { signal } : {}),
  }
  try {
    const name = nameOf(directory, branch)
    const [known, last, main, tips = []] = await Promise.all([
      mirror.branch(branch, signal),
      mirror.kept(name, signal),
      mirror.head(signal),
      mirror.tips(signal),
    ])
    // What others did to the branch since is not ours to build on: it would be undone.
    const isOurs = known !== undefined && last !== undefined && (await isAncestor(own, known, last, options))
    const begun = { head, published: isOurs ? known : undefined, last }
    const { tip, leftOut } = await commitWork(own, { ...given, directory }, begun, options)
    const counted = await own.git(['rev-list', '--count', '--stdin'], {
      ...options,
      input: [tip, ...tips.map((other) => `^${other}`)].map((line) => `${line}\n`).join(''),
    })
    const published = { branch, commit: tip, commits: Number(counted.stdout.toString('utf8')), leftOut }
    const there = known ?? main
    const isReplacing = force && known !== undefined && known !== tip
    if (!isReplacing && there !== undefined && (await isAncestor(own, tip, there, options)))
      return { ...published, pushed: false }
    // Before it is pushed: after a crash the same commit is pushed again.
    await mirror.keep(own, tip, name, signal)
    const pushed = await push(own, connection, {
      commit: tip,
      branch,
      ...(force ? { replaces: known ?? null } : {}),
      ...(signal ? { signal } : {}),
    })
    await lock(() => mirror.advance(branch, tip, signal))
    return { ...published, pushed }
  } finally {
    await own.close()
  }
}
