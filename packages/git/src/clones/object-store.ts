// The objects that the clones of a repository's tasks borrow: what the remote has, copied from the mirror. Only the worker
// writes to a store. It contains no refs, configuration or hooks; those of the fetch are next to the mirror.
//
// Where agents run as the worker's own user and nothing else protects the store, they can change it all the same. So the
// worker remembers what files the store has, and replaces a store with other ones. It reads no objects from the store itself.

import { lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError } from '@switchyard/contracts'
import { type GitOptions, git, gitLine } from '../command/run.ts'
import { STORE_PACKS } from '../untrusted/isolated-repository.ts'
import { combinePacks } from './combine-packs.ts'
import { FETCH_OPTIONS } from './fetch-options.ts'

const TIMEOUT_MS = 10 * 60_000
const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']
const FORMAT = '--format=%(objectname) %(refname)'

export type ObjectStoreOptions = {
  /** The object directory that clones borrow from. */
  readonly objectDirectory: string
  /** The git directory of the store, where no agent can write. */
  readonly gitDirectory: string
  /** The directory of the mirror, which is the only source. */
  readonly mirror: string
}

/** Returns the remote's refs as a clone has them, in the format of `packed-refs`. */
const asRemoteRefs = (refs: string): string =>
  refs === '' ? '' : `${refs.replaceAll(/ refs\/heads\//g, ' refs/remotes/origin/')}\n`

/**
 * Returns a text that changes when a file is added, removed or replaced. Times do not count: git updates those of a pack
 * when an agent writes an object that the pack has.
 */
const signatureOf = async (directory: string): Promise<string> => {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  const lines = await Promise.all(
    entries.map(async (entry) => {
      const file = path.join(entry.parentPath, entry.name)
      const name = path.relative(directory, file)
      if (entry.isDirectory()) return `${name}/`
      const found = await lstat(file).catch(() => undefined)
      return `${name} ${found?.mode} ${found?.size} ${found?.ino}`
    }),
  )
  return lines.toSorted().join('\n')
}

/** Returns true when git would read objects from elsewhere. */
const leadsElsewhere = (signature: string): boolean => /^info\/(?:http-)?alternates /m.test(signature)

export class ObjectStore {
  readonly objectDirectory: string
  readonly #gitDirectory: string
  readonly #mirror: string

  constructor({ objectDirectory, gitDirectory, mirror }: ObjectStoreOptions) {
    this.objectDirectory = path.resolve(objectDirectory)
    this.#gitDirectory = path.resolve(gitDirectory)
    this.#mirror = path.resolve(mirror)
  }

  /**
   * Copies what the mirror has since the last call. Requires the lock of the store.
   *
   * @param inUse - returns commits that clones need even if no branch of the remote reaches them any more
   */
  async update(inUse: () => Promise<readonly string[]>, signal: AbortSignal): Promise<void> {
    if (!(await this.#isIntact())) await this.#replace(await inUse(), signal)
    else if (asRemoteRefs(await this.#listRefs(this.#mirror, signal)) !== (await this.remoteRefs()))
      await this.#fetch(signal)
  }

  /** Returns the remote's branches and tags, as of the last update, in the format of `packed-refs`. */
  async remoteRefs(): Promise<string> {
    return await this.#read('remote-refs')
  }

  /** Returns the content of git's file `shallow`: empty when the history is complete. */
  async shallow(): Promise<string> {
    return await this.#read('shallow')
  }

  async has(commit: string, signal?: AbortSignal): Promise<boolean> {
    const { code } = await git(['cat-file', '-e', `${commit}^{commit}`], {
      ...this.#options(signal),
      okCodes: [0, 1, 128],
    })
    return code === 0
  }

  async remove(): Promise<void> {
    for (const directory of [this.objectDirectory, `${this.objectDirectory}.new`, this.#gitDirectory])
      await rm(directory, { recursive: true, force: true })
  }

  #options(signal?: AbortSignal): GitOptions {
    return { cwd: this.#gitDirectory, ...(signal ? { signal } : {}) }
  }

  async #read(name: string): Promise<string> {
    return await readFile(path.join(this.#gitDirectory, name), 'utf8').catch(() => '')
  }

  async #listRefs(gitDir: string, signal: AbortSignal): Promise<string> {
    return await gitLine(['for-each-ref', FORMAT, 'refs/heads', 'refs/tags'], { cwd: gitDir, signal })
  }

  async #isIntact(): Promise<boolean> {
    const signature = await this.#read('signature')
    return signature !== '' && signature === (await signatureOf(this.objectDirectory))
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    await this.#git(['fetch', ...FETCH_OPTIONS, '--', this.#mirror, ...REFSPECS], signal)
    await combinePacks(this.#gitDirectory, signal)
    await this.#sign(signal)
  }

  async #git(args: readonly string[], signal: AbortSignal): Promise<void> {
    await git(args, { ...this.#options(signal), config: STORE_PACKS, timeoutMs: TIMEOUT_MS })
  }

  /** Records the refs and files of a complete store. */
  async #sign(signal: AbortSignal): Promise<void> {
    const refs = asRemoteRefs(await this.#listRefs(this.#gitDirectory, signal))
    const signature = await signatureOf(this.objectDirectory)
    await writeFile(path.join(this.#gitDirectory, 'remote-refs'), refs)
    await writeFile(path.join(this.#gitDirectory, 'signature'), leadsElsewhere(signature) ? '' : signature)
  }

  /** Creates the store, or replaces one that was changed: clones use the old one until the new one is complete. */
  async #replace(inUse: readonly string[], signal: AbortSignal): Promise<void> {
    const fresh = `${this.objectDirectory}.new`
    const former = `${this.objectDirectory}.former`
    const link = path.join(this.#gitDirectory, 'objects')
    try {
      for (const directory of [this.#gitDirectory, fresh, former]) await rm(directory, { recursive: true, force: true })
      for (const directory of [this.#gitDirectory, path.join(fresh, 'pack'), path.join(fresh, 'info')])
        await mkdir(directory, { recursive: true })
      await git(['init', '--quiet', '--bare', '--template=', '.'], this.#options(signal))
      await rm(link, { recursive: true })
      await symlink(fresh, link)
      await this.#git(['fetch', ...FETCH_OPTIONS, '--', this.#mirror, ...REFSPECS], signal)
      for (const commit of inUse)
        if (!(await this.has(commit, signal)))
          await this.#git(['fetch', '--no-tags', ...FETCH_OPTIONS, '--', this.#mirror, commit], signal)
      await rename(this.objectDirectory, former).catch(() => undefined)
      await rename(fresh, this.objectDirectory)
      await rm(link)
      await symlink(this.objectDirectory, link)
      await this.#sign(signal)
    } catch (error) {
      throw fromFileError(error, this.objectDirectory)
    } finally {
      await rm(former, { recursive: true, force: true })
    }
  }
}
