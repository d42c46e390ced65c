// Indexes of our own for worktrees, kept from one look to the next where no agent can write: with what they hold of each file's times
// and size only files that were touched since are read again.
//
// Their names say which commit they are of. One that is used has a name of its own meanwhile; whoever looks at the same time makes a
// new one, and the last to be put back stays. They are moved and never copied: git compares a file's time with the index's own.

import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'

export type KeptIndex = {
  readonly file: string
  /** The commit or tree that it is of; undefined: there is none yet. */
  readonly commit: string | undefined
}

/** Lends the index of one worktree. */
export type WithIndex = <T>(commit: string, work: (index: KeptIndex) => Promise<T>) => Promise<T>

const TAKEN = 'taken-'

export class KeptIndexes {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * Lends an index to `work`, which leaves it as that of `commit`. Where work fails with a kept one, which may be damaged, it is done
   * once more without.
   *
   * @param id - of the worktree; without a dot
   */
  async use<T>(id: string, commit: string, work: (index: KeptIndex) => Promise<T>): Promise<T> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const file = path.join(this.#directory, `${id}.${TAKEN}${randomUUID()}`)
    const of = await this.#take(id, commit, file)
    try {
      const done = await work({ file, commit: of }).catch(async (error: unknown) => {
        if (of === undefined) throw error
        await rm(file, { force: true })
        return await work({ file, commit: undefined })
      })
      await rename(file, path.join(this.#directory, `${id}.${commit}`))
      return done
    } finally {
      await rm(file, { force: true })
    }
  }

  async #take(id: string, commit: string, file: string): Promise<string | undefined> {
    const kept = (await this.#namesOf(id)).filter((name) => !name.includes(`.${TAKEN}`))
    // That of the same commit first; one of another commit is moved on to this one.
    for (const name of kept.toSorted((one) => (one === `${id}.${commit}` ? -1 : 1))) {
      const isTaken = await rename(path.join(this.#directory, name), file).then(
        () => true,
        () => false,
      )
      if (isTaken) return name.slice(id.length + 1)
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
