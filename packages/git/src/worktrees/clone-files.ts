// Creates and restores the clone of one task, in git's documented layout (gitrepository-layout). It borrows the remote's
// objects from the store of its repository, so nothing is copied: a clone starts with its files, its refs and an index.
// No git runs in it but the agent's.

import { copyFile, lstat, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, SwitchyardError } from '@switchyard/contracts'
import type { Mirror } from '../clones/mirror.ts'
import type { ObjectStore } from '../clones/object-store.ts'
import { stagingPath } from '../command/staging.ts'
import { type GitDirectory, isRealDirectory } from '../untrusted/git-directory.ts'
import { type IsolatedRepository, openIsolatedRepository, STORE_PACKS } from '../untrusted/isolated-repository.ts'
import type { DirectoryFiles } from './directory-files.ts'
import type { StagingDirectories } from './staging-directories.ts'
import type { WorktreeRecord } from './worktree-records.ts'

const TIMEOUT_MS = 10 * 60_000

export type CloneFilesOptions = {
  readonly mirror: Mirror
  readonly store: ObjectStore
  readonly staging: StagingDirectories
  /** The remote URL that the clone shows. */
  readonly url: string
}

/** Quotes a value of a configuration file. */
const quoted = (value: string): string => `"${value.replaceAll(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`

const configOf = (url: string, isSha256: boolean): string =>
  [
    '[core]',
    `\trepositoryformatversion = ${isSha256 ? 1 : 0}`,
    '\tfilemode = true',
    '\tbare = false',
    '\tlogallrefupdates = true',
    ...(isSha256 ? ['[extensions]', '\tobjectFormat = sha256'] : []),
    '[remote "origin"]',
    `\turl = ${quoted(url)}`,
    '\tfetch = +refs/heads/*:refs/remotes/origin/*',
    '',
  ].join('\n')

export class CloneFiles implements DirectoryFiles {
  readonly #mirror: Mirror
  readonly #store: ObjectStore
  readonly #staging: StagingDirectories
  readonly #url: string

  constructor({ mirror, store, staging, url }: CloneFilesOptions) {
    this.#mirror = mirror
    this.#store = store
    this.#staging = staging
    this.#url = url
  }

  gitDirectoryOf({ directory }: WorktreeRecord): GitDirectory {
    const gitDir = path.join(directory, '.git')
    return { gitDir, commonDir: gitDir }
  }

  async isComplete(record: WorktreeRecord): Promise<boolean> {
    return (await isRealDirectory(record.directory)) && (await isRealDirectory(this.gitDirectoryOf(record).gitDir))
  }

  async create(record: WorktreeRecord, start: string, signal: AbortSignal | undefined): Promise<void> {
    const { directory } = record
    const isCreated = await this.#staging.create(directory, (fresh) => this.#fill(fresh, record, start, signal))
    if (!isCreated && !(await this.isComplete(record)))
      throw new SwitchyardError('directory_unwritable', `${directory} exists and is not complete`)
  }

  async restore(record: WorktreeRecord): Promise<void> {
    const { gitDir } = this.gitDirectoryOf(record)
    if (await lstat(gitDir).catch(() => undefined)) return
    const isolated = await this.#openIsolated(record.baseCommit, record.directory)
    const fresh = stagingPath(gitDir)
    try {
      await isolated.git(['read-tree', record.baseCommit])
      await this.#writeGitDirectory(fresh, record, record.baseCommit, undefined)
      await copyFile(path.join(isolated.directory, 'index'), path.join(fresh, 'index'))
      await rename(fresh, gitDir)
    } catch (error) {
      throw fromFileError(error, record.directory)
    } finally {
      await isolated.close()
      await rm(fresh, { recursive: true, force: true })
    }
  }

  async remove({ directory }: WorktreeRecord): Promise<void> {
    await rm(directory, { recursive: true, force: true })
    await this.#staging.removeAbandoned(directory, 0)
  }

  async #openIsolated(commit: string, workTree: string): Promise<IsolatedRepository> {
    return await openIsolatedRepository({
      objectDirs: [this.#mirror.objectDirectory],
      workTree,
      isSha256: commit.length === 64,
    })
  }

  async #fill(fresh: string, record: WorktreeRecord, start: string, signal: AbortSignal | undefined): Promise<void> {
    const gitDir = path.join(fresh, '.git')
    const isolated = await this.#openIsolated(start, fresh)
    try {
      await Promise.all([
        this.#writeGitDirectory(gitDir, record, start, signal),
        isolated.git(['read-tree', '-u', '--reset', start], { timeoutMs: TIMEOUT_MS, ...(signal ? { signal } : {}) }),
      ])
      // The index has the times and sizes of these very files, so the agent's git does not read them again.
      await copyFile(path.join(isolated.directory, 'index'), path.join(gitDir, 'index'))
    } finally {
      await isolated.close()
    }
  }

  async #writeGitDirectory(
    gitDir: string,
    { branch }: WorktreeRecord,
    start: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const at = (...names: string[]) => path.join(gitDir, ...names)
    const [refs, shallow] = await Promise.all([this.#store.remoteRefs(), this.#store.shallow()])
    for (const directory of [at('objects', 'info'), at('objects', 'pack'), path.dirname(at('refs', 'heads', branch))])
      await mkdir(directory, { recursive: true })
    await Promise.all([
      writeFile(at('HEAD'), `ref: refs/heads/${branch}\n`),
      writeFile(at('config'), configOf(this.#url, start.length === 64)),
      writeFile(at('packed-refs'), refs),
      writeFile(at('refs', 'heads', branch), `${start}\n`),
      writeFile(at('objects', 'info', 'alternates'), `${this.#store.objectDirectory}\n`),
      ...(shallow === '' ? [] : [writeFile(at('shallow'), shallow)]),
    ])
    if (!refs.includes(start) && !(await this.#store.has(start, signal))) await this.#copyCommit(gitDir, start, signal)
  }

  /** Copies a commit that the remote does not have, such as the work of an earlier task on the same branch. */
  async #copyCommit(gitDir: string, commit: string, signal: AbortSignal | undefined): Promise<void> {
    const linked = await openIsolatedRepository({ linkTo: gitDir, objectDirs: [this.#store.objectDirectory] })
    const options = { config: STORE_PACKS, timeoutMs: TIMEOUT_MS, ...(signal ? { signal } : {}) }
    try {
      const args = [
        'fetch',
        '--quiet',
        '--no-tags',
        '--no-write-fetch-head',
        '--no-auto-maintenance',
        '--update-shallow',
      ]
      await linked.git([...args, '--', this.#mirror.directory, commit], options)
    } finally {
      await linked.close()
    }
  }
}
