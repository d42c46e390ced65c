// Records the worktrees and clones that the worker created: one small file each, next to the mirrors, where no agent can write.
//
// What a clone says about its worktrees is not trusted, because agents can write there. These records decide whether a
// directory is ours to finish or to delete, and from which commit its work started.

import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, systemErrorCode } from '@switchyard/contracts'

export type WorktreeRecord = {
  /** The worktree's name in `.git/worktrees` of the shared clone; unique among worktrees and clones. */
  readonly id: string
  /** A task's clone; default: a linked worktree of the shared clone. */
  readonly kind?: 'clone'
  readonly directory: string
  readonly branch: string
  /** The commit that the work is compared with. */
  readonly baseCommit: string
  /** False until all files are there. Until then no agent has worked in it. */
  readonly isReady: boolean
  /** The commits of an imported bundle. The files come from `worktree`. */
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

  /** @returns false when a record with this id exists */
  async create(record: WorktreeRecord): Promise<boolean> {
    const written = await this.#write(record)
    try {
      // A hard link appears with its whole content, and only one caller can create it.
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
