// Opens a checkout that we did not make, for reading alone: nothing is written into it, and nothing that it configures is run.
//
// Its refs are copied into a repository of our own and its objects are read from where they are, so what is made from
// it (a snapshot of its files, say) lands in ours.

import { realpath, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { isInside, SwitchyardError } from '@switchyard/contracts'
import type { GitOptions } from '../command/run.ts'
import { COMMIT, findGitPlace, type GitPlace } from '../untrusted/git-directory.ts'
import { type OwnRepository, openOwnRepository } from '../untrusted/isolated-repository.ts'
import { inspectPlace } from '../untrusted/own-git-directory.ts'
import { readGuarded } from '../untrusted/read-guarded.ts'

/** Refs of our own making in a copy of a checkout's refs: what has no name of its own there. */
export const KEPT = 'refs/switchyard'

export type ForeignCheckout = {
  readonly directory: string
  /** Of this working directory; `commonDir` is of all that share its objects. */
  readonly gitDir: string
  readonly commonDir: string
  /** The commit that is checked out; null in a repository without one. */
  readonly head: string | null
  /** Null where HEAD is detached. */
  readonly branch: string | null
  readonly stashes: number
  /** Refs that lead to objects that are not there. */
  readonly damaged: readonly string[]
  /** Its refs, `refs/switchyard/stash/<n>`, and its objects to read. */
  readonly own: OwnRepository
  readonly close: () => Promise<void>
}

type Ref = { readonly name: string; readonly commit: string }

const TIMEOUT_MS = 2 * 60_000

const refuse = (directory: string, why: string): never => {
  throw new SwitchyardError('repository_not_found', `${directory} ${why}`, { retryable: false })
}

/**
 * Where a linked worktree's repository is. The directory's word is not enough: the repository has to name the directory too, in
 * a place that is not in the directory, or a file could point to any repository of this machine.
 */
const findLinked = async (directory: string, named: string): Promise<GitPlace> => {
  const gitDir = await realpath(named).catch(() => refuse(directory, 'names a repository that is not there'))
  const back = (await readGuarded(path.join(gitDir, 'gitdir'))).trim()
  const common = (await readGuarded(path.join(gitDir, 'commondir'))).trim()
  if (back === '' || common === '') return refuse(directory, 'is no checkout of a repository of its own')
  const known = await realpath(path.dirname(path.resolve(gitDir, back))).catch(() => '')
  if (known !== directory) return refuse(directory, 'names a repository that does not know it')
  const commonDir = path.dirname(path.dirname(gitDir))
  const isAmongItsWorktrees =
    path.dirname(gitDir) === path.join(commonDir, 'worktrees') && path.resolve(gitDir, common) === commonDir
  if (isInside(directory, gitDir) || !isAmongItsWorktrees) return refuse(directory, 'names what is no linked worktree')
  if (path.basename(commonDir) !== '.git') return refuse(directory, 'belongs to a bare repository')
  return { gitDir, commonDir }
}

const findPlace = async (directory: string): Promise<GitPlace> => {
  const named = await findGitPlace(directory)
  if (named === undefined) return refuse(directory, 'is no git checkout with a repository of its own')
  const place = named.gitDir === path.join(directory, '.git') ? named : await findLinked(directory, named.gitDir)
  await inspectPlace(place)
  return place
}

const readRefs = async (commonDir: string, options: GitOptions): Promise<readonly Ref[]> => {
  const linked = await openOwnRepository({ linkTo: commonDir })
  try {
    const told = await linked.git(['for-each-ref', '--format=%(objectname) %(refname)'], options)
    return told.stdout
      .toString('utf8')
      .split('\n')
      .map((line) => ({ commit: line.slice(0, line.indexOf(' ')), name: line.slice(line.indexOf(' ') + 1) }))
      .filter(({ commit, name }) => COMMIT.test(commit) && !name.startsWith(`${KEPT}/`) && name !== 'refs/stash')
  } finally {
    await linked.close()
  }
}

/** The newest is the first. Older ones than the newest have no ref: they are in its log alone. */
const readStashes = async (commonDir: string): Promise<readonly string[]> => {
  const log = await readGuarded(path.join(commonDir, 'logs/refs/stash'))
  const logged = log.split('\n').flatMap((line) => line.split(' ', 2)[1] ?? [])
  const newest = (await readGuarded(path.join(commonDir, 'refs/stash'))).trim()
  return [...new Set([newest, ...logged.toReversed()])].filter((commit) => COMMIT.test(commit))
}

/** Copies the refs whose objects are there; names the others. */
const copyRefs = async (own: OwnRepository, refs: readonly Ref[], options: GitOptions): Promise<readonly string[]> => {
  if (refs.length === 0) return []
  const told = await own.git(['cat-file', '--batch-check=%(objecttype)'], {
    ...options,
    input: refs.map(({ commit }) => `${commit}\n`).join(''),
  })
  const kinds = told.stdout.toString('utf8').split('\n')
  const isThere = (_: Ref, at: number) => !(kinds[at] ?? 'missing').endsWith('missing')
  await own.git(['update-ref', '-z', '--stdin'], {
    ...options,
    input: refs
      .filter(isThere)
      .map(({ name, commit }) => `create ${name}\0${commit}\0`)
      .join(''),
  })
  return refs.filter((ref, at) => !isThere(ref, at)).map(({ name }) => name)
}

const readHead = async (gitDir: string, refs: readonly Ref[]): Promise<Pick<ForeignCheckout, 'head' | 'branch'>> => {
  const text = (await readGuarded(path.join(gitDir, 'HEAD'))).trim()
  const ref = /^ref: (refs\/heads\/\S+)$/.exec(text)?.[1]
  if (ref === undefined) return { head: COMMIT.test(text) ? text : null, branch: null }
  return {
    head: refs.find(({ name }) => name === ref)?.commit ?? null,
    branch: ref.slice('refs/heads/'.length),
  }
}

/**
 * The caller closes it.
 *
 * @param known - where its commits are, for a directory that an agent writes to: its own word is not taken then
 * @throws SwitchyardError `repository_not_found` for what is no checkout; `repository_unavailable` where its repository is
 *   damaged, is made of links, or borrows objects of another one
 * @example const checkout = await openForeign('/home/me/.memory/opencode-sandboxes/blog-api/repo')
 */
export const openForeign = async (given: string, known?: GitPlace): Promise<ForeignCheckout> => {
  const directory =
    known === undefined ? await realpath(given).catch(() => refuse(given, 'is not there')) : path.resolve(given)
  const { gitDir, commonDir } = known ?? (await findPlace(directory))
  const options: GitOptions = { timeoutMs: TIMEOUT_MS }
  const refs = await readRefs(commonDir, options)
  const stashes = await readStashes(commonDir)
  const { head, branch } = await readHead(gitDir, refs)
  const own = await openOwnRepository({
    objectDirs: [path.join(commonDir, 'objects')],
    workTree: directory,
    isSha256: (head ?? refs[0]?.commit)?.length === 64,
  })
  try {
    const shallow = await readGuarded(path.join(commonDir, 'shallow'))
    if (shallow !== '') await writeFile(path.join(own.directory, 'shallow'), shallow)
    const kept = stashes.map((commit, at) => ({ name: `${KEPT}/stash/${at}`, commit }))
    // A commit that no branch leads to.
    const detached = head !== null && branch === null ? [{ name: `${KEPT}/head`, commit: head }] : []
    const damaged = await copyRefs(own, [...refs, ...kept, ...detached], options)
    const isBroken = head !== null && damaged.some((name) => [`refs/heads/${branch}`, `${KEPT}/head`].includes(name))
    return {
      directory,
      gitDir,
      commonDir,
      head: isBroken ? null : head,
      branch,
      stashes: stashes.length,
      damaged,
      own,
      close: own.close,
    }
  } catch (error) {
    await own.close()
    throw error
  }
}
