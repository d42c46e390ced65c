// Looks into the older manager's tree without leaving it: a link that leads out is reported and not followed. Nothing is written.

import { constants, lstat, open, readdir, realpath } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { isInside, systemErrorCode } from '@switchyard/contracts'
import type { Findings } from '../findings.ts'

const MAX_BYTES = 16 * 1_048_576

export type TreePath = {
  /** Without links. */
  readonly path: string
  /** Not in the tree: a place of the user's own that an entry names. */
  readonly isOutside: boolean
}

export class LegacyFiles {
  /** The tree, without links. */
  readonly root: string
  readonly #given: string
  readonly #findings: Findings

  private constructor(root: string, given: string, findings: Findings) {
    this.root = root
    this.#given = given
    this.#findings = findings
  }

  /** @returns null where there is no such directory */
  static async open(given: string, findings: Findings): Promise<LegacyFiles | null> {
    const resolved = path.resolve(given)
    const root = await realpath(resolved).catch(() => null)
    if (root === null || !(await lstat(root)).isDirectory()) return null
    return new LegacyFiles(root, resolved, findings)
  }

  /** Returns the text of a regular file of the tree; null otherwise, which is reported unless the file is missing. */
  async read(name: string): Promise<string | null> {
    const place = path.join(this.root, name)
    try {
      const real = await realpath(place)
      if (!isInside(this.root, real)) {
        this.#findings.problem(name, `is a link out of the tree, to ${real}; it is not followed`)
        return null
      }
      const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
      try {
        const found = await file.stat()
        if (found.isFile() && found.size <= MAX_BYTES) return await file.readFile('utf8')
        this.#findings.problem(name, found.isFile() ? 'is larger than 16 MiB; it is not read' : 'is no regular file')
        return null
      } finally {
        await file.close()
      }
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') {
        if (await lstat(place).catch(() => undefined)) this.#findings.problem(name, 'is a link to nothing')
      } else this.#findings.problem(name, `cannot be read: ${systemErrorCode(error) ?? error}`)
      return null
    }
  }

  /** Names in a directory of the tree; none where there is no such directory. */
  async list(name: string): Promise<readonly string[]> {
    const real = await realpath(path.join(this.root, name)).catch(() => null)
    if (real === null) return []
    if (!isInside(this.root, real)) {
      this.#findings.problem(name, `is a link out of the tree, to ${real}; it is not followed`)
      return []
    }
    return (await readdir(real).catch(() => [])).toSorted()
  }

  /** What an entry means by a path: relative to the tree, absolute, or with ~. */
  absolute(given: string): string {
    if (given === '~' || given.startsWith('~/')) return path.join(homedir(), given.slice(1))
    const place = path.resolve(this.root, given)
    // The tree itself may have been named by a link.
    return isInside(this.#given, place) ? path.join(this.root, path.relative(this.#given, place)) : place
  }

  /**
   * The real place of a file or directory that an entry names; null where nothing is there. One that is said to be in the tree
   * and is not is reported, and is null too.
   */
  async find(given: string, where: string): Promise<TreePath | null> {
    const place = this.absolute(given)
    const real = await realpath(place).catch(() => null)
    if (real === null) return null
    const isOutside = !isInside(this.root, real)
    if (isOutside && isInside(this.root, place)) {
      this.#findings.problem(where, `${place} is a link out of the tree, to ${real}; it is not followed`)
      return null
    }
    return { path: real, isOutside }
  }
}
