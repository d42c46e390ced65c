// Linked worktrees of a shared clone, made and removed by hand in git's documented layout (gitrepository-layout):
// `git worktree add` would run git inside the clone, with whatever an agent configured there.

import { createHash } from 'node:crypto'
import {
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  writeFile,
} from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, isBelow, SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import type { KeptIndexes, WithIndex } from '../changes/index-cache.ts'
import type { Mirror } from '../clones/mirror.ts'
import type { Checkout } from '../clones/scratch.ts'
import { inspectClone, type SharedClone } from '../clones/shared-clone.ts'
import { isStagingOf, stagingPlace } from '../command/staging.ts'
import { COMMIT, type GitPlace, isRealDirectory, readRef } from '../untrusted/git-directory.ts'
import { type OwnRepository, openOwnRepository } from '../untrusted/isolated-repository.ts'
import type { OwnBranch } from '../work/bundle-with-history.ts'
import { type Imported, importInto, isAsImported } from '../work/import-bundle.ts'
import type { WorktreeRecord, WorktreeRecords } from './worktree-records.ts'

const CHECKOUT_TIMEOUT_MS = 10 * 60_000
/** A half made directory this old was left by a crash, ms. */
const ABANDONED_MS = 3_600_000
const MAX_LINK_BYTES = 8_192

export type WorktreeRequest = {
  readonly directory: string
  readonly branch: string
  /** Branch, tag or commit to begin from; default: the remote's default branch. A branch that is continued has its own. */
  readonly base?: string
  /** Continue the branch where it exists in the clone or on the remote and no worktree has it; default false: refuse. */
  readonly reuse?: boolean
  readonly signal?: AbortSignal
}

type Parts = {
  readonly mirror: Mirror
  readonly shared: SharedClone
  readonly records: WorktreeRecords
  readonly indexes: KeptIndexes
  readonly lock: <T>(work: () => Promise<T>) => Promise<T>
  /** Whether a directory is a worktree that was made here, of any repository. */
  readonly isMade: (directory: string) => Promise<boolean>
}

const idOf = (directory: string): string => {
  const name = path
    .basename(directory)
    .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
    .slice(0, 60)
  return `${name}-${createHash('sha256').update(directory).digest('hex').slice(0, 12)}`
}

/** Something that is not empty is there. */
const isTaken = (error: unknown): boolean => ['ENOTEMPTY', 'EEXIST'].includes(systemErrorCode(error) ?? '')

/** A small file of an agent's: no link is followed, no pipe is waited for. */
const readLink = async (file: string): Promise<string> => {
  const found = await lstat(file).catch(() => undefined)
  return found?.isFile() && found.size <= MAX_LINK_BYTES ? (await readFile(file, 'utf8').catch(() => '')).trim() : ''
}

const notOurs = (directory: string, url: string): SwitchyardError =>
  new SwitchyardError('path_outside_workspace', `${directory} is no worktree of ${url} made here`)

const inUse = (branch: string, why: string): SwitchyardError =>
  new SwitchyardError('branch_in_use', `branch "${branch}" ${why}`)

export class Worktrees {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** See `Repositories.addWorktree`. */
  async add(request: WorktreeRequest): Promise<Checkout> {
    const { signal } = request
    const directory = path.resolve(request.directory)
    const base = await this.#parts.mirror.resolveBase(request.base, signal)
    const known = await this.#parts.records.read(idOf(directory))
    if (known && known.branch !== request.branch)
      throw inUse(request.branch, `cannot be worked on in ${directory}: that is the worktree of "${known.branch}"`)
    if (known?.isReady && (await isRealDirectory(directory))) {
      await this.#relink(known)
      return checkout(known)
    }
    if (known) return await this.#finish(known, signal)
    return await this.#begin({ ...request, directory }, base)
  }

  async #begin(request: WorktreeRequest, base: string): Promise<Checkout> {
    const { directory, branch, signal } = request
    try {
      await requireFree(directory)
    } catch (error) {
      // Made since we looked, by another who was asked for the same.
      if (await this.#parts.records.read(idOf(directory))) return await this.add(request)
      throw error
    }
    const claim = (baseCommit: string) =>
      this.#claim({ id: idOf(directory), directory, branch, baseCommit, isReady: false })
    const found = await this.#existing(branch, signal)
    if (found === undefined) {
      if (!(await claim(base))) return await this.add(request)
      await this.#createBranch(directory, branch, base, signal)
      return await this.#populate(directory, branch, base, base, signal)
    }
    // Claimed since we looked: the branch is the one of this worktree.
    if (await this.#parts.records.read(idOf(directory))) return await this.add(request)
    if (!request.reuse) throw inUse(branch, 'exists already')
    // Two callers that continue one branch must not both find it free.
    const won = await this.#parts.lock(async () => {
      await this.#requireUnused(branch, directory)
      return await claim(found.commit)
    })
    if (!won) return await this.add(request)
    if (!found.isLocal) await this.#createBranch(directory, branch, found.commit, signal)
    return await this.#populate(directory, branch, found.commit, found.commit, signal)
  }

  /** Puts a worktree back that a crash left half made, or whose directory was taken away: at its branch's own tip. */
  async #finish(known: WorktreeRecord, signal: AbortSignal | undefined): Promise<Checkout> {
    const { directory, branch, baseCommit } = known
    const isThere = async () => (await readLink(path.join(directory, '.git'))) === this.#link(known.id)
    if (!(await isThere()))
      await requireFree(directory).catch(async (error: unknown) => {
        if (!(await isThere())) throw error
      })
    if (await isThere()) {
      // All of it is there but, perhaps, for the note that it is.
      await this.#relink(known)
      await this.#parts.records.replace({ ...known, isReady: true })
      return checkout(known)
    }
    await this.#requireUnused(branch, directory).catch(async (error: unknown) => {
      // A claim that a crash left behind, on a branch that another has taken since.
      if (!known.isReady) await this.#parts.records.delete(known.id)
      throw error
    })
    const tip = await this.#parts.shared.resolve(`refs/heads/${branch}`, signal)
    // Made meanwhile by another who finishes the same worktree: as good.
    if (tip === undefined) await this.#tryBranch(branch, baseCommit, signal)
    return await this.#populate(directory, branch, baseCommit, tip ?? baseCommit, signal)
  }

  async #existing(
    branch: string,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly commit: string; readonly isLocal: boolean } | undefined> {
    const local = await this.#parts.shared.resolve(`refs/heads/${branch}`, signal)
    if (local) return { commit: local, isLocal: true }
    const remote = await this.#parts.mirror.branch(branch, signal)
    return remote ? { commit: remote, isLocal: false } : undefined
  }

  #claim(record: WorktreeRecord): Promise<boolean> {
    return this.#parts.records.create(record)
  }

  /** For a directory that has just been claimed; the claim is given back where the branch is another's. */
  async #createBranch(directory: string, branch: string, commit: string, signal: AbortSignal | undefined) {
    try {
      if ((await this.#tryBranch(branch, commit, signal)) === 'created') return
      // Whoever found our claim may be finishing this very worktree, and has made the branch for it.
      await this.#requireUnused(branch, directory)
      if ((await this.#parts.shared.resolve(`refs/heads/${branch}`, signal)) !== commit)
        throw inUse(branch, 'exists already, or its name is a part of one that does')
    } catch (error) {
      await this.#parts.records.delete(idOf(directory))
      throw error
    }
  }

  async #tryBranch(branch: string, commit: string, signal: AbortSignal | undefined): Promise<'created' | 'exists'> {
    const { shared } = this.#parts
    let made = await shared.createBranch(branch, commit, signal)
    if (made === 'no-such-commit') {
      await shared.bring(commit, signal)
      made = await shared.createBranch(branch, commit, signal)
    }
    if (made === 'no-such-commit')
      throw new SwitchyardError('repository_unavailable', `the shared clone has no commit ${commit}`)
    return made
  }

  /** No other worktree has the branch: neither one of ours nor one that an agent made or switched to it. */
  async #requireUnused(branch: string, directory: string): Promise<void> {
    const ours = (await this.#parts.records.all()).filter((record) => record.directory !== directory)
    if (ours.some((record) => record.branch === branch)) throw inUse(branch, 'belongs to another worktree')
    const place = path.join(this.#parts.shared.gitDirectory, 'worktrees')
    for (const id of await readdir(place).catch(() => [])) {
      if (id === idOf(directory)) continue
      const [head, link] = await Promise.all([
        readLink(path.join(place, id, 'HEAD')),
        readLink(path.join(place, id, 'gitdir')),
      ])
      if (head === `ref: refs/heads/${branch}` && (await lstat(link).catch(() => undefined)))
        throw inUse(branch, 'is checked out in another worktree')
    }
  }

  /** The branches of the worktrees made here, but of these. */
  async branchesBut(directories: readonly string[]): Promise<readonly string[]> {
    const given = new Set(directories.map((directory) => path.resolve(directory)))
    return (await this.#parts.records.all()).filter((one) => !given.has(one.directory)).map((one) => one.branch)
  }

  async hasAny(): Promise<boolean> {
    return (await this.#parts.records.all()).length > 0
  }

  /** See `Repositories.relink`. */
  async relink(given: string): Promise<void> {
    const directory = path.resolve(given)
    const record = await this.#parts.records.read(idOf(directory))
    if (record?.isReady && (await isRealDirectory(directory))) await this.#relink(record)
  }

  /** See `Repositories.importBundle`. */
  async importBundle(directory: string, bundle: string): Promise<Imported> {
    const record = await this.#ready(directory)
    return await this.#parts.lock(() => importInto(this.#forImport(record), record, bundle))
  }

  /** See `Repositories.isAsImported`. */
  async isAsImported(directory: string): Promise<boolean | null> {
    const record = await this.#ready(directory)
    return await isAsImported(this.#forImport(record), record)
  }

  #forImport(record: WorktreeRecord) {
    return { ...this.#parts, adminDirectory: this.#admin(record.id) }
  }

  /** One of ours that is whole, with its repository as it should be. */
  async #ready(given: string): Promise<WorktreeRecord> {
    const directory = path.resolve(given)
    const record = await this.#parts.records.read(idOf(directory))
    if (!record?.isReady || !(await isRealDirectory(directory)))
      throw new SwitchyardError('path_outside_workspace', `${directory} is no worktree made here`)
    await this.#relink(record)
    return record
  }

  #admin(id: string): string {
    return path.join(this.#parts.shared.gitDirectory, 'worktrees', id)
  }

  /** Where the commits of a worktree made here are, whatever its agent has written into it. */
  async placeOf(directory: string): Promise<GitPlace | undefined> {
    const known = await this.#parts.records.read(idOf(path.resolve(directory)))
    return known && { gitDir: this.#admin(known.id), commonDir: this.#parts.shared.gitDirectory }
  }

  #link(id: string): string {
    return `gitdir: ${this.#admin(id)}`
  }

  /** The files come first, under another name; the directory then appears whole. */
  async #populate(
    directory: string,
    branch: string,
    baseCommit: string,
    start: string,
    signal: AbortSignal | undefined,
  ): Promise<Checkout> {
    const { records } = this.#parts
    const record: WorktreeRecord = { id: idOf(directory), directory, branch, baseCommit, isReady: true }
    await this.#removeAbandoned(directory, ABANDONED_MS)
    const fresh = stagingPlace(directory)
    const own = await this.#ownFor(start, fresh)
    try {
      await mkdir(fresh, { recursive: true })
      await own.git(['read-tree', '-u', '--reset', start], {
        timeoutMs: CHECKOUT_TIMEOUT_MS,
        ...(signal ? { signal } : {}),
      })
      await writeFile(path.join(fresh, '.git'), `${this.#link(record.id)}\n`)
      // An agent's `git worktree prune` takes away what names a directory that is not there: the directory comes first.
      await rename(fresh, directory)
      await this.#writeAdmin(record, start, path.join(own.directory, 'index'))
      await records.replace(record)
    } catch (error) {
      // The same worktree, finished meanwhile by another: theirs stands.
      const isTheirs = isTaken(error) && (await readLink(path.join(directory, '.git'))) === this.#link(record.id)
      if (!isTheirs) throw fromFileError(error, directory)
      await this.#relink(record)
      await records.replace(record)
    } finally {
      await own.close()
      await rm(fresh, { recursive: true, force: true })
    }
    return checkout(record)
  }

  async #removeAbandoned(directory: string, olderThanMs: number): Promise<void> {
    for (const place of await stagedBeside(directory)) {
      const found = await lstat(place).catch(() => undefined)
      if (found === undefined || Date.now() - found.mtimeMs < olderThanMs) continue
      // A worktree may have been asked for by such a name, of another project too: it is not ours to clear away.
      if (!(await this.#parts.isMade(place))) await rm(place, { recursive: true, force: true })
    }
  }

  async #ownFor(commit: string, workTree: string): Promise<OwnRepository> {
    const { mirror, shared } = this.#parts
    await inspectClone(shared.directory)
    return await openOwnRepository({
      // The mirror's objects first: those of the clone are what agents left there.
      objectDirs: [mirror.objectDirectory, path.join(shared.gitDirectory, 'objects')],
      workTree,
      isSha256: commit.length === 64,
    })
  }

  async #writeAdmin(record: WorktreeRecord, start: string, index: string): Promise<void> {
    const { shared } = this.#parts
    await inspectClone(shared.directory)
    const fresh = await mkdtemp(path.join(shared.gitDirectory, 'switchyard-'))
    const former = `${fresh}.former`
    try {
      await Promise.all([
        writeFile(path.join(fresh, 'HEAD'), `ref: refs/heads/${record.branch}\n`),
        writeFile(path.join(fresh, 'ORIG_HEAD'), `${start}\n`),
        writeFile(path.join(fresh, 'commondir'), '../..\n'),
        writeFile(path.join(fresh, 'gitdir'), `${path.join(record.directory, '.git')}\n`),
        copyFile(index, path.join(fresh, 'index')),
      ])
      const admin = this.#admin(record.id)
      await mkdir(path.dirname(admin), { recursive: true })
      // One of an earlier directory; where several make the same worktree at once, one entry is as good as another.
      await rename(admin, former).catch((error: unknown) => {
        if (systemErrorCode(error) !== 'ENOENT') throw error
      })
      await rename(fresh, admin).catch((error: unknown) => {
        if (!isTaken(error)) throw error
      })
    } finally {
      await rm(former, { recursive: true, force: true })
      await rm(fresh, { recursive: true, force: true })
    }
  }

  /** An agent may have deleted what makes its directory a worktree; its files are its work, and stay as they are. */
  async #relink(record: WorktreeRecord): Promise<void> {
    const file = path.join(record.directory, '.git')
    if (!(await isRealDirectory(this.#admin(record.id)))) {
      const commit = (await this.#parts.shared.resolve(`refs/heads/${record.branch}`)) ?? record.baseCommit
      const own = await this.#ownFor(commit, record.directory)
      try {
        await own.git(['read-tree', commit])
        await this.#writeAdmin(record, commit, path.join(own.directory, 'index'))
      } finally {
        await own.close()
      }
    }
    if (!(await lstat(file).catch(() => undefined))) await writeFile(file, `${this.#link(record.id)}\n`, { flag: 'wx' })
  }

  /** Lends the index that is kept of a worktree made here; undefined for any other directory. */
  async indexOf(directory: string): Promise<WithIndex | undefined> {
    const known = await this.#parts.records.read(idOf(path.resolve(directory)))
    return known && ((commit, work) => this.#parts.indexes.use(known.id, commit, work))
  }

  /** The branch of a worktree made here and where it ends, whatever its agent has switched to. */
  async branchOf(directory: string, signal?: AbortSignal): Promise<OwnBranch | undefined> {
    const known = await this.#parts.records.read(idOf(path.resolve(directory)))
    if (!known) return undefined
    const ref = `refs/heads/${known.branch}`
    // Read as a file where that says it, without a process.
    const commit = await readRef(this.#parts.shared.gitDirectory, ref)
    const tip = commit !== undefined && COMMIT.test(commit) ? commit : await this.#parts.shared.resolve(ref, signal)
    return tip === undefined ? undefined : { name: known.branch, tip }
  }

  /** See `Repositories.removeWorktree`. */
  async remove(given: string, root: string, displayUrl: string): Promise<void> {
    const directory = path.resolve(given)
    if (!(await isReallyBelow(directory, root))) throw notOurs(directory, displayUrl)
    const record = await this.#parts.records.read(idOf(directory))
    if (record === undefined) {
      // Removed before, by one who died before he could say so.
      if ((await lstat(directory).catch(() => undefined)) === undefined) return
      throw notOurs(directory, displayUrl)
    }
    // A link in its place is taken away, and what it points to is left alone.
    await rm(directory, { recursive: true, force: true })
    await this.#removeAbandoned(directory, 0)
    const worktrees = path.join(this.#parts.shared.gitDirectory, 'worktrees')
    if (await isRealDirectory(worktrees)) await rm(this.#admin(record.id), { recursive: true, force: true })
    await this.#parts.records.delete(record.id)
    await this.#parts.indexes.delete(record.id)
  }
}

/** What was made beside it and not finished, whoever made it. */
const stagedBeside = async (directory: string): Promise<readonly string[]> => {
  const parent = path.dirname(directory)
  const names = await readdir(parent).catch(() => [])
  return names.filter((name) => isStagingOf(path.basename(directory), name)).map((name) => path.join(parent, name))
}

const checkout = ({ directory, branch, baseCommit }: WorktreeRecord): Checkout => ({ directory, branch, baseCommit })

/** @throws SwitchyardError `directory_unwritable` where something is there that we did not make: it is never deleted. */
const requireFree = async (directory: string): Promise<void> => {
  try {
    await rmdir(directory)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return
    throw new SwitchyardError('directory_unwritable', `${directory} holds something that is no worktree made here`, {
      hint: 'Move it away; nothing in it was touched.',
      retryable: false,
      cause: error,
    })
  }
}

/** Where its parent really is, below where the root really is. A directory that is gone already counts by its name. */
const isReallyBelow = async (directory: string, root: string): Promise<boolean> => {
  const real = async (place: string) => await realpath(place).catch(() => path.resolve(place))
  return isBelow(await real(root), path.join(await real(path.dirname(directory)), path.basename(directory)))
}
