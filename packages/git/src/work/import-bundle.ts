// Imports commits and uncommitted changes from a bundle into a new worktree that has no work yet.
//
// The bundle comes from a repository that is not trusted. It is fetched as data: nothing in it runs, and git refuses
// file names such as .git/hooks when it writes files.

import { copyFile, lstat, rename } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, SwitchyardError } from '@switchyard/contracts'
import { fillIndex } from '../changes/fill-index.ts'
import type { Mirror } from '../clones/mirror.ts'
import type { SharedClone } from '../clones/shared-clone.ts'
import type { GitOptions } from '../command/run.ts'
import type { GitDirectory } from '../untrusted/git-directory.ts'
import { inspectClone } from '../untrusted/inspect-git-directory.ts'
import { type IsolatedRepository, openIsolatedRepository, STORE_PACKS } from '../untrusted/isolated-repository.ts'
import { HEAD_REF, WORKTREE_REF } from '../untrusted/switchyard-refs.ts'
import type { WorktreeRecord } from '../worktrees/worktree-records.ts'

export type Imported = {
  readonly branch: string
  /** The new tip of the branch. */
  readonly head: string
  /** The commit that the work is compared with from now on: the merge base of `head` and the former base. */
  readonly baseCommit: string
  /** How many files have uncommitted changes. */
  readonly changed: number
}

/** The worktree to import into, and its clones. */
export type ImportTarget = {
  readonly mirror: Mirror
  readonly shared: SharedClone
  readonly record: WorktreeRecord
  readonly gitDirectory: GitDirectory
  readonly replaceRecord: (record: WorktreeRecord) => Promise<void>
}

const OPTIONS: GitOptions = {
  timeoutMs: 10 * 60_000,
  config: ['core.autocrlf=false', 'core.safecrlf=false', 'core.filesRefLockTimeout=5000'],
}
const MAX_FILE_BYTES = 512 * 1_048_576

const invalidBundle = (why: string): SwitchyardError => new SwitchyardError('invalid_bundle', `the bundle ${why}`)

const worktreeHasWork = ({ directory }: WorktreeRecord, why: string): SwitchyardError =>
  new SwitchyardError('worktree_has_work', `${directory} ${why}; a bundle can be imported only into a new worktree`)

/** @throws SwitchyardError `invalid_bundle` */
const readHeads = async (isolated: IsolatedRepository, bundle: string) => {
  const { code, stdout } = await isolated.git(['bundle', 'list-heads', bundle], { ...OPTIONS, okCodes: [0, 1, 128] })
  if (code !== 0) throw invalidBundle('is not a git bundle')
  const heads = new Map(
    stdout
      .toString('utf8')
      .split('\n')
      .filter(Boolean)
      .map((line): [string, string] => [line.slice(line.indexOf(' ') + 1), line.slice(0, line.indexOf(' '))]),
  )
  const head = heads.get(HEAD_REF)
  if (head === undefined) throw invalidBundle(`has no ${HEAD_REF}`)
  return { head, worktree: heads.get(WORKTREE_REF) ?? head }
}

/**
 * Copies the objects of a bundle to the shared clone.
 *
 * @throws SwitchyardError `invalid_bundle`, `bundle_incomplete`
 */
const fetchBundle = async (
  linked: IsolatedRepository,
  bundle: string,
  head: string,
  worktree: string,
): Promise<void> => {
  const refs = worktree === head ? [HEAD_REF] : [HEAD_REF, WORKTREE_REF]
  const { code, stderr } = await linked.git(
    ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--', bundle, ...refs],
    { ...OPTIONS, config: [...(OPTIONS.config ?? []), ...STORE_PACKS], okCodes: [0, 1, 128] },
  )
  if (code === 0) return
  if (/lacks these prerequisite|remote did not send all necessary objects|Could not read/.test(stderr))
    throw new SwitchyardError('bundle_incomplete', 'the bundle needs commits that the repository does not have')
  throw invalidBundle('is damaged')
}

const treeOf = (isolated: IsolatedRepository, commit: string): Promise<string> =>
  isolated.line(['rev-parse', `${commit}^{tree}`], OPTIONS)

/** Returns the tree of the directory's current files without ignored ones. Fills the index with it. */
const currentTree = async (isolated: IsolatedRepository, directory: string, commit: string): Promise<string> => {
  const { names } = await fillIndex(isolated, directory, commit, MAX_FILE_BYTES, OPTIONS)
  await isolated.git(['update-index', '--ignore-submodules', '--add', '--remove', '-z', '--stdin'], {
    ...OPTIONS,
    input: names.map((name) => `${name}\0`).join(''),
  })
  return await isolated.line(['write-tree'], OPTIONS)
}

const openIsolated = async ({ mirror, shared, record }: Omit<ImportTarget, 'gitDirectory' | 'replaceRecord'>) => {
  await inspectClone(shared.directory)
  return await openIsolatedRepository({
    objectDirs: [mirror.objectDirectory, path.join(shared.gitDirectory, 'objects')],
    workTree: record.directory,
    isSha256: record.baseCommit.length === 64,
  })
}

/** @throws SwitchyardError `worktree_has_work` */
const requireNoWork = async ({ shared, record }: ImportTarget, isolated: IsolatedRepository): Promise<void> => {
  const tip = await shared.resolve(`refs/heads/${record.branch}`)
  if (tip !== record.baseCommit) throw worktreeHasWork(record, `has commits on "${record.branch}"`)
  const tree = await currentTree(isolated, record.directory, record.baseCommit)
  if (tree !== (await treeOf(isolated, record.baseCommit))) throw worktreeHasWork(record, 'has changed files')
}

/** Returns the merge base, or `head` when the histories have no commit in common. */
const mergeBase = async (isolated: IsolatedRepository, head: string, base: string): Promise<string> =>
  (await isolated.line(['merge-base', head, base], { ...OPTIONS, okCodes: [0, 1] })) || head

const writeIndex = async (isolated: IsolatedRepository, gitDir: string): Promise<void> => {
  if (!(await lstat(gitDir).catch(() => undefined))?.isDirectory())
    throw new SwitchyardError('repository_unavailable', `${gitDir} is not a directory`, { retryable: false })
  const fresh = path.join(gitDir, `index.new-${process.pid}`)
  await copyFile(path.join(isolated.directory, 'index'), fresh)
  await rename(fresh, path.join(gitDir, 'index'))
}

/**
 * Imports a bundle; see `RepositoryWork.importBundle`. The record states that an import has started before anything
 * changes. After a crash the import runs again from the beginning, because nobody has worked in the worktree yet.
 */
export const importBundle = async (target: ImportTarget, file: string): Promise<Imported> => {
  const { shared, record, gitDirectory, replaceRecord } = target
  const bundle = path.resolve(file)
  const linked = await openIsolatedRepository({ linkTo: shared.gitDirectory })
  const isolated = await openIsolated(target)
  try {
    const { head, worktree } = await readHeads(isolated, bundle)
    const former = record.imported
    if (former && (former.head !== head || former.worktree !== worktree))
      throw worktreeHasWork(record, 'contains another import')
    if (former?.isDone) return await toImported(isolated, record, former)
    if (former === undefined) await requireNoWork(target, isolated)
    await fetchBundle(linked, bundle, head, worktree)
    if (worktree !== head && (await linked.line(['rev-parse', `${worktree}^@`], OPTIONS)) !== head)
      throw invalidBundle(`has a ${WORKTREE_REF} that is not one commit on top of ${HEAD_REF}`)
    const started: WorktreeRecord = {
      ...record,
      baseCommit: former ? record.baseCommit : await mergeBase(linked, head, record.baseCommit),
      imported: { head, worktree, isDone: false },
    }
    await replaceRecord(started)
    // The index has all current files, so that the reset replaces what a crash may have left.
    await currentTree(isolated, started.directory, record.baseCommit)
    await isolated.git(['read-tree', '--reset', '-u', worktree], OPTIONS)
    await linked.git(['update-ref', `refs/heads/${started.branch}`, head], OPTIONS)
    await isolated.git(['read-tree', head], OPTIONS)
    await isolated.git(['update-index', '-q', '--refresh'], { ...OPTIONS, okCodes: [0, 1] })
    await writeIndex(isolated, gitDirectory.gitDir)
    const imported = { head, worktree, isDone: true }
    await replaceRecord({ ...started, imported })
    return await toImported(isolated, started, imported)
  } catch (error) {
    throw fromFileError(error, record.directory)
  } finally {
    await isolated.close()
    await linked.close()
  }
}

const toImported = async (
  isolated: IsolatedRepository,
  { branch, baseCommit }: WorktreeRecord,
  { head, worktree }: { readonly head: string; readonly worktree: string },
): Promise<Imported> => {
  const names = await isolated.line(['diff-tree', '-r', '--name-only', '-z', head, worktree], OPTIONS)
  return { branch, head, baseCommit, changed: names.split('\0').filter(Boolean).length }
}

/**
 * Returns true when nothing was committed, changed, added or deleted in a worktree since its import.
 *
 * @returns null when nothing was imported
 */
export const isAsImported = async (
  target: Omit<ImportTarget, 'gitDirectory' | 'replaceRecord'>,
): Promise<boolean | null> => {
  const { shared, record } = target
  const { imported, branch, directory } = record
  if (imported === undefined) return null
  const isolated = await openIsolated(target)
  try {
    const tip = await shared.resolve(`refs/heads/${branch}`)
    if (!imported.isDone) return tip === imported.head || tip === record.baseCommit
    if (tip !== imported.head) return false
    return (await currentTree(isolated, directory, imported.worktree)) === (await treeOf(isolated, imported.worktree))
  } finally {
    await isolated.close()
  }
}
