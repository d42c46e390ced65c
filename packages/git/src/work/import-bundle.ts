// Puts commits and uncommitted changes from elsewhere into a worktree that was made for them and has no work yet.
//
// The bundle comes from a repository that nobody vouches for. It is fetched as data: nothing in it is run, and git refuses
// names such as .git/hooks when it writes files.

import { copyFile, lstat, rename } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, SwitchyardError } from '@switchyard/contracts'
import { enterFiles } from '../changes/fill-index.ts'
import type { Mirror } from '../clones/mirror.ts'
import { inspectClone, type SharedClone } from '../clones/shared-clone.ts'
import type { GitOptions } from '../command/run.ts'
import { HEAD_REF, WORKTREE_REF } from '../foreign/bundle.ts'
import { type OwnRepository, openOwnRepository } from '../untrusted/isolated-repository.ts'
import type { WorktreeRecord, WorktreeRecords } from '../worktrees/worktree-records.ts'

export type Imported = {
  readonly branch: string
  /** The branch's new tip. */
  readonly head: string
  /** What the worktree's work is compared with from now on: where its history left that of its former base. */
  readonly baseCommit: string
  /** Files that are changed and not committed. */
  readonly changed: number
}

type Parts = {
  readonly mirror: Mirror
  readonly shared: SharedClone
  readonly records: WorktreeRecords
  /** Where git keeps what it knows of the worktree. */
  readonly adminDirectory: string
}

const OPTIONS: GitOptions = {
  timeoutMs: 10 * 60_000,
  config: ['core.autocrlf=false', 'core.safecrlf=false', 'core.filesRefLockTimeout=5000'],
}
const MAX_FILE_BYTES = 512 * 1_048_576

const invalid = (why: string): SwitchyardError => new SwitchyardError('invalid_bundle', `the bundle ${why}`)

const hasWork = (record: WorktreeRecord, why: string): SwitchyardError =>
  new SwitchyardError('worktree_has_work', `${record.directory} ${why}; an import goes into a new one only`)

const lineOf = async (own: OwnRepository, args: readonly string[]): Promise<string> =>
  (await own.git(args, OPTIONS)).stdout.toString('utf8').trim()

/** @throws SwitchyardError `invalid_bundle` */
const readHeads = async (own: OwnRepository, bundle: string) => {
  const told = await own.git(['bundle', 'list-heads', bundle], { ...OPTIONS, okCodes: [0, 1, 128] })
  if (told.code !== 0) throw invalid('is no git bundle')
  const heads = new Map(
    told.stdout
      .toString('utf8')
      .split('\n')
      .filter(Boolean)
      .map((line): [string, string] => [line.slice(line.indexOf(' ') + 1), line.slice(0, line.indexOf(' '))]),
  )
  const head = heads.get(HEAD_REF)
  if (head === undefined) throw invalid(`has no ${HEAD_REF}`)
  return { head, worktree: heads.get(WORKTREE_REF) ?? head }
}

/** Brings its objects into the shared clone. @throws SwitchyardError `invalid_bundle`, `bundle_incomplete` */
const fetchBundle = async (own: OwnRepository, bundle: string, head: string, worktree: string): Promise<void> => {
  const refs = worktree === head ? [HEAD_REF] : [HEAD_REF, WORKTREE_REF]
  const told = await own.git(
    ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--', bundle, ...refs],
    { ...OPTIONS, okCodes: [0, 1, 128] },
  )
  if (told.code === 0) return
  if (/lacks these prerequisite|remote did not send all necessary objects|Could not read/.test(told.stderr))
    throw new SwitchyardError('bundle_incomplete', 'the bundle builds on commits that the repository does not have')
  throw invalid('cannot be read to its end')
}

const treeOf = (own: OwnRepository, commit: string): Promise<string> => lineOf(own, ['rev-parse', `${commit}^{tree}`])

/** The tree of the worktree's files as they are now, ignored ones left out. Fills the index with it. */
const currentTree = async (own: OwnRepository, directory: string, commit: string): Promise<string> => {
  const { names } = await enterFiles(own, directory, commit, MAX_FILE_BYTES, OPTIONS)
  await own.git(['update-index', '--ignore-submodules', '--add', '--remove', '-z', '--stdin'], {
    ...OPTIONS,
    input: names.map((name) => `${name}\0`).join(''),
  })
  return await lineOf(own, ['write-tree'])
}

const openFor = async ({ mirror, shared }: Pick<Parts, 'mirror' | 'shared'>, record: WorktreeRecord) => {
  await inspectClone(shared.directory)
  return await openOwnRepository({
    objectDirs: [mirror.objectDirectory, path.join(shared.gitDirectory, 'objects')],
    workTree: record.directory,
    isSha256: record.baseCommit.length === 64,
  })
}

const requireNew = async (parts: Parts, own: OwnRepository, record: WorktreeRecord): Promise<void> => {
  const tip = await parts.shared.resolve(`refs/heads/${record.branch}`)
  if (tip !== record.baseCommit) throw hasWork(record, `has commits on "${record.branch}"`)
  const now = await currentTree(own, record.directory, record.baseCommit)
  if (now !== (await treeOf(own, record.baseCommit))) throw hasWork(record, 'has changed files')
}

/** The commit itself where the two have no history in common. */
const whereItLeft = async (own: OwnRepository, head: string, base: string): Promise<string> => {
  const told = await own.git(['merge-base', head, base], { ...OPTIONS, okCodes: [0, 1] })
  return told.stdout.toString('utf8').trim() || head
}

const writeIndex = async (own: OwnRepository, adminDirectory: string): Promise<void> => {
  if (!(await lstat(adminDirectory).catch(() => undefined))?.isDirectory())
    throw new SwitchyardError('repository_unavailable', `${adminDirectory} is no directory`, { retryable: false })
  const fresh = path.join(adminDirectory, `index.new-${process.pid}`)
  await copyFile(path.join(own.directory, 'index'), fresh)
  await rename(fresh, path.join(adminDirectory, 'index'))
}

/**
 * See `Repositories.importBundle`. The record says that an import has begun before anything is changed: one that a crash
 * broke off is done again from its beginning, since nobody has worked there yet.
 */
export const importInto = async (parts: Parts, given: WorktreeRecord, file: string): Promise<Imported> => {
  const { shared, records } = parts
  const bundle = path.resolve(file)
  const linked = await openOwnRepository({ linkTo: shared.gitDirectory })
  const own = await openFor(parts, given)
  try {
    const { head, worktree } = await readHeads(own, bundle)
    const known = given.imported
    if (known && (known.head !== head || known.worktree !== worktree)) throw hasWork(given, 'has another import in it')
    if (known?.isDone) return await told(own, given, known)
    if (known === undefined) await requireNew(parts, own, given)
    await fetchBundle(linked, bundle, head, worktree)
    if (worktree !== head && (await lineOf(linked, ['rev-parse', `${worktree}^@`])) !== head)
      throw invalid(`has a ${WORKTREE_REF} that is not one commit on top of ${HEAD_REF}`)
    const begun: WorktreeRecord = {
      ...given,
      baseCommit: known ? given.baseCommit : await whereItLeft(linked, head, given.baseCommit),
      imported: { head, worktree, isDone: false },
    }
    await records.replace(begun)
    // From whatever a crash left: all files become those of the snapshot.
    await currentTree(own, begun.directory, given.baseCommit)
    await own.git(['read-tree', '--reset', '-u', worktree], OPTIONS)
    await linked.git(['update-ref', `refs/heads/${begun.branch}`, head], OPTIONS)
    await own.git(['read-tree', head], OPTIONS)
    await own.git(['update-index', '-q', '--refresh'], { ...OPTIONS, okCodes: [0, 1] })
    await writeIndex(own, parts.adminDirectory)
    const imported = { head, worktree, isDone: true }
    await records.replace({ ...begun, imported })
    return await told(own, begun, imported)
  } catch (error) {
    throw fromFileError(error, given.directory)
  } finally {
    await own.close()
    await linked.close()
  }
}

const told = async (
  own: OwnRepository,
  record: WorktreeRecord,
  { head, worktree }: { readonly head: string; readonly worktree: string },
): Promise<Imported> => {
  const names = await lineOf(own, ['diff-tree', '-r', '--name-only', '-z', head, worktree])
  return {
    branch: record.branch,
    head,
    baseCommit: record.baseCommit,
    changed: names.split('\0').filter(Boolean).length,
  }
}

/**
 * Whether a worktree is still as it was imported: nothing was committed, changed, added or deleted in it since.
 *
 * @returns null for one into which nothing was imported
 */
export const isAsImported = async (parts: Parts, record: WorktreeRecord): Promise<boolean | null> => {
  const { imported, branch, directory } = record
  if (imported === undefined) return null
  const own = await openFor(parts, record)
  try {
    const tip = await parts.shared.resolve(`refs/heads/${branch}`)
    if (!imported.isDone) return tip === imported.head || tip === record.baseCommit
    if (tip !== imported.head) return false
    return (await currentTree(own, directory, imported.worktree)) === (await treeOf(own, imported.worktree))
  } finally {
    await own.close()
  }
}
