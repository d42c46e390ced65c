// What the worker made: one small file a worktree, beside the mirrors, where no agent can write.
//
// What a clone says of its worktrees is an agent's word. Whether a directory is ours to finish or to delete, and which
// commit its work began from, is read here.

import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, systemErrorCode } from '@switchyard/contracts'

export type WorktreeRecord = {
  /** Its name in the clone's `.git/worktrees`. */
  readonly id: string
  readonly directory: string
  readonly branch: string
  /** What its work is compared with. */
  readonly baseCommit: string
  /** False until its files are there: until then no agent has seen it. */
  readonly isReady: boolean
  /** Commits and changes from elsewhere that it was given: `worktree` is what its files were made of. */
  readonly imported?: { readonly head: string; readonly worktree: string; readonly isDone: boolean }
}

const isRecord = (value: unknown): value is WorktreeRecord =>
  typeof value === 'object' && value !== null && 'directory' in value && 'branch' in value && 'baseCommit' in value

export class WorktreeRecords {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  #file(id: string): string {
    return path.join(this.#directory, `${id}.json`)
  }

  async read(id: string): Promise<WorktreeRecord | undefined> {
    const text = await readFile(this.#file(id), 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  }

  async all(): Promise<readonly WorktreeRecord[]> {
    const names = await readdir(this.#directory).catch(() => [])
    const records = await Promise.all(
      names.filter((name) => name.endsWith('.json')).map((name) => this.read(name.slice(0, -'.json'.length))),
    )
    return records.filter((record) => record !== undefined)
  }

  /** @returns false where there is one of that id already. */
  async create(record: WorktreeRecord): Promise<boolean> {
    const written = await this.#write(record)
    try {
      // A link is made whole or not at all, by one caller alone.
      await link(written, this.#file(record.id))
      return true
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') return false
      throw fromFileError(error, this.#directory)
    } finally {
      await rm(written, { force: true })
    }
  }

  async replace(record: WorktreeRecord): Promise<void> {
    await rename(await this.#write(record), this.#file(record.id))
  }

  async delete(id: string): Promise<void> {
    await rm(this.#file(id), { force: true })
  }

  async #write(record: WorktreeRecord): Promise<string> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      const file = path.join(this.#directory, `.${record.id}-${randomUUID()}`)
      await writeFile(file, JSON.stringify(record), { flag: 'wx' })
      return file
    } catch (error) {
      throw fromFileError(error, this.#directory)
    }
  }
}
