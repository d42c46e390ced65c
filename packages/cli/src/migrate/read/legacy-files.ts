// Reads files and directories of the older manager's tree. Reports links that lead out of the tree
// instead of following them. Writes nothing.

import { constants, lstat, open, readdir, realpath } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { isInside, systemErrorCode } from '@switchyard/contracts'
import type { Diagnostics } from '../diagnostics.ts'

const MAX_BYTES = 16 * 1_048_576

export type TreePath = {
  /** The path with all links resolved. */
  readonly path: string
  /** The path is outside the tree: an entry names a file or directory of the operator's own. */
  readonly isOutside: boolean
}

export class LegacyFiles {
  /** The tree's path with all links resolved. */
  readonly root: string
  readonly #given: string
  readonly #diagnostics: Diagnostics

  private constructor(root: string, given: string, diagnostics: Diagnostics) {
    this.root = root
    this.#given = given
    this.#diagnostics = diagnostics
  }

  /** Opens a tree. Returns null if the directory does not exist. */
  static async open(given: string, diagnostics: Diagnostics): Promise<LegacyFiles | null> {
    const resolved = path.resolve(given)
    const root = await realpath(resolved).catch(() => null)
    if (root === null || !(await lstat(root)).isDirectory()) return null
    return new LegacyFiles(root, resolved, diagnostics)
  }

  /**
   * Returns the text of a regular file, or null. Reports why it cannot be read, unless it does not
   * exist.
   */
  async read(name: string): Promise<string | null> {
    const target = path.join(this.root, name)
    try {
      const real = await realpath(target)
      if (!isInside(this.root, real)) {
        this.#diagnostics.problem(name, `is a link out of the tree, to ${real}; it is not followed`)
        return null
      }
      const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
      try {
        const found = await file.stat()
        if (found.isFile() && found.size <= MAX_BYTES) return await file.readFile('utf8')
        this.#diagnostics.problem(
          name,
          found.isFile() ? 'is larger than 16 MiB, so it is not read' : 'is not a regular file',
        )
        return null
      } finally {
        await file.close()
      }
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') {
        if (await lstat(target).catch(() => undefined)) this.#diagnostics.problem(name, 'is a broken link')
      } else this.#diagnostics.problem(name, `cannot be read: ${systemErrorCode(error) ?? error}`)
      return null
    }
  }

  /** Returns the names in a directory of the tree, sorted; empty if it does not exist. */
  async list(name: string): Promise<readonly string[]> {
    const real = await realpath(path.join(this.root, name)).catch(() => null)
    if (real === null) return []
    if (!isInside(this.root, real)) {
      this.#diagnostics.problem(name, `is a link out of the tree, to ${real}; it is not followed`)
      return []
    }
    return (await readdir(real).catch(() => [])).toSorted()
  }

  /**
   * Returns the absolute path for a path in an entry: relative to the tree, absolute, or with ~.
   */
  absolute(given: string): string {
    if (given === '~' || given.startsWith('~/')) return path.join(homedir(), given.slice(1))
    const target = path.resolve(this.root, given)
    // --from may name the tree through a link.
    return isInside(this.#given, target) ? path.join(this.root, path.relative(this.#given, target)) : target
  }

  /**
   * Resolves the links of a path in an entry.
   *
   * @param where - the entry, for the report
   * @returns null if nothing exists there, or after reporting a link that leads out of the tree
   */
  async find(given: string, where: string): Promise<TreePath | null> {
    const target = this.absolute(given)
    const real = await realpath(target).catch(() => null)
    if (real === null) return null
    const isOutside = !isInside(this.root, real)
    if (isOutside && isInside(this.root, target)) {
      this.#diagnostics.problem(where, `${target} is a link out of the tree, to ${real}; it is not followed`)
      return null
    }
    return { path: real, isOutside }
  }
}
