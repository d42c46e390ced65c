// Caches indexes of worktrees in a directory that no agent can write to. An index contains the times and sizes of
// files, so that git reads again only the files that changed since.
//
// The name of an index contains its commit. While an index is in use it has another name; a concurrent caller creates
// a new one, and the one that is put back last stays. Indexes are moved and never copied, because git compares the
// time of a file with the time of the index.

import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'

export type CachedIndex = {
  readonly file: string
  /** The commit or tree of the index; undefined when the file does not exist yet. */
  readonly commit: string | undefined
}

/** Runs `work` with the index of one worktree. */
export type WithIndex = <T>(commit: string, work: (index: CachedIndex) => Promise<T>) => Promise<T>

const IN_USE = 'taken-'

export class IndexCache {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * Runs `work` with an index, which `work` must leave as the index of `commit`. If `work` fails with a cached index,
   * which may be damaged, it runs once more without one.
   *
   * @param id - of the worktree; contains no dot
   */
  async use<T>(id: string, commit: string, work: (index: CachedIndex) => Promise<T>): Promise<T> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const file = path.join(this.#directory, `${id}.${IN_USE}${randomUUID()}`)
    const cached = await this.#acquire(id, commit, file)
    try {
      const result = await work({ file, commit: cached }).catch(async (error: unknown) => {
        if (cached === undefined) throw error
        await rm(file, { force: true })
        return await work({ file, commit: undefined })
      })
      await rename(file, path.join(this.#directory, `${id}.${commit}`))
      return result
    } finally {
      await rm(file, { force: true })
    }
  }

  /** Moves a cached index to `file`, and returns its commit. Prefers the index of `commit` to any other. */
  async #acquire(id: string, commit: string, file: string): Promise<string | undefined> {
    const free = (await this.#namesOf(id)).filter((name) => !name.includes(`.${IN_USE}`))
    for (const name of free.toSorted((one) => (one === `${id}.${commit}` ? -1 : 1))) {
      const isAcquired = await rename(path.join(this.#directory, name), file).then(
        () => true,
        () => false,
      )
      if (isAcquired) return name.slice(id.length + 1)
    }
    return undefined
  }

  async #namesOf(id: string): Promise<readonly string[]> {
    return (await readdir(this.#directory).catch(() => [])).filter((name) => name.startsWith(`${id}.`))
  }

  async delete(id: string): Promise<void> {
    for (const name of await this.#namesOf(id)) await rm(path.join(this.#directory, name), { force: true })
  }
}
