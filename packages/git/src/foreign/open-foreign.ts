// Opens a checkout that Switchyard did not create, read-only. Nothing is written to it, and nothing that it configures
// runs.
//
// Its refs are copied to an isolated repository and its objects are read in place, so that new objects, such as a
// snapshot of its files, are written to the isolated repository.

import { realpath, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { isInside, SwitchyardError } from '@switchyard/contracts'
import type { GitOptions } from '../command/run.ts'
import { COMMIT, findGitDirectory, type GitDirectory } from '../untrusted/git-directory.ts'
import { type IsolatedRepository, openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { inspectRepository } from '../untrusted/own-git-directory.ts'
import { readUntrustedFile } from '../untrusted/read-untrusted-file.ts'
import { HEAD_REF, SWITCHYARD_REFS } from '../untrusted/switchyard-refs.ts'

export type ForeignCheckout = GitDirectory & {
  readonly directory: string
  /** The commit that is checked out; null before the first commit. */
  readonly head: string | null
  /** Null when HEAD is detached. */
  readonly branch: string | null
  readonly stashes: number
  /** Refs whose commits are missing. */
  readonly damaged: readonly string[]
  /** Contains copies of the refs, the stashes as `refs/switchyard/stash/<n>`, and access to the objects. */
  readonly isolated: IsolatedRepository
  readonly close: () => Promise<void>
}

type Ref = { readonly name: string; readonly commit: string }

const TIMEOUT_MS = 2 * 60_000

const refuse = (directory: string, why: string): never => {
  throw new SwitchyardError('repository_not_found', `${directory} ${why}`, { retryable: false })
}

/**
 * Finds the repository of a linked worktree. The `.git` file of the directory is not enough, because it can name any
 * repository of this machine. The repository must name the directory in return, in a file outside the directory.
 */
const findLinked = async (directory: string, claimed: string): Promise<GitDirectory> => {
  const gitDir = await realpath(claimed).catch(() => refuse(directory, 'names a repository that does not exist'))
  const back = (await readUntrustedFile(path.join(gitDir, 'gitdir'))).trim()
  const common = (await readUntrustedFile(path.join(gitDir, 'commondir'))).trim()
  if (back === '' || common === '') return refuse(directory, 'is not a checkout with its own repository')
  const known = await realpath(path.dirname(path.resolve(gitDir, back))).catch(() => '')
  if (known !== directory) return refuse(directory, 'names a repository that does not list it as a worktree')
  const commonDir = path.dirname(path.dirname(gitDir))
  const isWorktreeEntry =
    path.dirname(gitDir) === path.join(commonDir, 'worktrees') && path.resolve(gitDir, common) === commonDir
  if (isInside(directory, gitDir) || !isWorktreeEntry)
    return refuse(directory, 'names a git directory that is not that of a linked worktree')
  if (path.basename(commonDir) !== '.git') return refuse(directory, 'belongs to a bare repository')
  return { gitDir, commonDir }
}

const findTrustedGitDirectory = async (directory: string): Promise<GitDirectory> => {
  const claimed = await findGitDirectory(directory)
  if (claimed === undefined) return refuse(directory, 'is not a git checkout with its own repository')
  const isOwn = claimed.gitDir === path.join(directory, '.git')
  const gitDirectory = isOwn ? claimed : await findLinked(directory, claimed.gitDir)
  await inspectRepository(gitDirectory)
  return gitDirectory
}

const readRefs = async (commonDir: string, options: GitOptions): Promise<readonly Ref[]> => {
  const linked = await openIsolatedRepository({ linkTo: commonDir })
  try {
    const { stdout } = await linked.git(['for-each-ref', '--format=%(objectname) %(refname)'], options)
    return stdout
      .toString('utf8')
      .split('\n')
      .map((line) => ({ commit: line.slice(0, line.indexOf(' ')), name: line.slice(line.indexOf(' ') + 1) }))
      .filter(
        ({ commit, name }) => COMMIT.test(commit) && !name.startsWith(`${SWITCHYARD_REFS}/`) && name !== 'refs/stash',
      )
  } finally {
    await linked.close()
  }
}

/** Returns the commits of the stash, newest first. Only the newest has a ref; the others are in its log. */
const readStashes = async (commonDir: string): Promise<readonly string[]> => {
  const log = await readUntrustedFile(path.join(commonDir, 'logs/refs/stash'))
  const logged = log.split('\n').flatMap((line) => line.split(' ', 2)[1] ?? [])
  const newest = (await readUntrustedFile(path.join(commonDir, 'refs/stash'))).trim()
  return [...new Set([newest, ...logged.toReversed()])].filter((commit) => COMMIT.test(commit))
}

/** Copies the refs whose commits exist, and returns the names of the others. */
const copyRefs = async (
  isolated: IsolatedRepository,
  refs: readonly Ref[],
  options: GitOptions,
): Promise<readonly string[]> => {
  if (refs.length === 0) return []
  const { stdout } = await isolated.git(['cat-file', '--batch-check=%(objecttype)'], {
    ...options,
    input: refs.map(({ commit }) => `${commit}\n`).join(''),
  })
  const kinds = stdout.toString('utf8').split('\n')
  const exists = (_: Ref, at: number) => !(kinds[at] ?? 'missing').endsWith('missing')
  await isolated.git(['update-ref', '-z', '--stdin'], {
    ...options,
    input: refs
      .filter(exists)
      .map(({ name, commit }) => `create ${name}\0${commit}\0`)
      .join(''),
  })
  return refs.filter((ref, at) => !exists(ref, at)).map(({ name }) => name)
}

const readHead = async (gitDir: string, refs: readonly Ref[]): Promise<Pick<ForeignCheckout, 'head' | 'branch'>> => {
  const text = (await readUntrustedFile(path.join(gitDir, 'HEAD'))).trim()
  const ref = /^ref: (refs\/heads\/\S+)$/.exec(text)?.[1]
  if (ref === undefined) return { head: COMMIT.test(text) ? text : null, branch: null }
  return {
    head: refs.find(({ name }) => name === ref)?.commit ?? null,
    branch: ref.slice('refs/heads/'.length),
  }
}

/**
 * Opens a checkout. The caller closes it.
 *
 * @param known - the git directory of a checkout that an agent writes to; the checkout's own `.git` is then ignored
 * @throws SwitchyardError `repository_not_found` when the directory is not a checkout; `repository_unavailable` when its
 *   repository is damaged, contains links, or borrows objects from another one
 * @example const checkout = await openForeign('/home/me/.memory/opencode-sandboxes/blog-api/repo')
 */
export const openForeign = async (given: string, known?: GitDirectory): Promise<ForeignCheckout> => {
  const directory =
    known === undefined ? await realpath(given).catch(() => refuse(given, 'does not exist')) : path.resolve(given)
  const { gitDir, commonDir } = known ?? (await findTrustedGitDirectory(directory))
  const options: GitOptions = { timeoutMs: TIMEOUT_MS }
  const refs = await readRefs(commonDir, options)
  const stashes = await readStashes(commonDir)
  const { head, branch } = await readHead(gitDir, refs)
  const isolated = await openIsolatedRepository({
    objectDirs: [path.join(commonDir, 'objects')],
    workTree: directory,
    isSha256: (head ?? refs[0]?.commit)?.length === 64,
  })
  try {
    const shallow = await readUntrustedFile(path.join(commonDir, 'shallow'))
    if (shallow !== '') await writeFile(path.join(isolated.directory, 'shallow'), shallow)
    const stashRefs = stashes.map((commit, at) => ({ name: `${SWITCHYARD_REFS}/stash/${at}`, commit }))
    // No branch may reach a detached HEAD.
    const detached = head !== null && branch === null ? [{ name: HEAD_REF, commit: head }] : []
    const damaged = await copyRefs(isolated, [...refs, ...stashRefs, ...detached], options)
    const isHeadMissing = head !== null && damaged.some((name) => [`refs/heads/${branch}`, HEAD_REF].includes(name))
    return {
      directory,
      gitDir,
      commonDir,
      head: isHeadMissing ? null : head,
      branch,
      stashes: stashes.length,
      damaged,
      isolated,
      close: isolated.close,
    }
  } catch (error) {
    await isolated.close()
    throw error
  }
}
