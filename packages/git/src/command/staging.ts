// Directories that exist while something is being made. They bear the process's id, and where that id counts, so that what a
// killed process left is known as such and goes at once.

import { createHash, randomUUID } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { systemErrorCode } from '@switchyard/contracts'

/** Nothing takes longer: a bundle has 5 minutes. For what a process of another container left, whose id says nothing here. */
const LONGEST_MS = 30 * 60_000

const processNamespace = (): string => {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    // Not Linux: one namespace a machine.
    return ''
  }
}

/** Containers share the working directories and not their process ids. */
const HERE = createHash('sha256').update(`${hostname()} ${processNamespace()}`).digest('hex').slice(0, 8)

/** Of this process, or of another one here. */
export const stagingMark = (pid = process.pid): string => `${HERE}-${pid}-`

/** A place beside `place` in which it is made. */
export const stagingPlace = (place: string): string => `${place}.new-${stagingMark()}${randomUUID().slice(0, 8)}`

/** Whether a name is one that `stagingPlace` gives for a place called `of`. Other things may be called so too: a sandbox `ui.new-menu`. */
export const isStagingOf = (of: string, name: string): boolean =>
  name.startsWith(of) && /^\.new-[0-9a-f]{8}-\d+-[0-9a-f]{8}$/.test(name.slice(of.length))

/** The beginning of a temporary repository's name. */
export const repositoryPrefix = (): string => `switchyard-git-${stagingMark()}`

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemErrorCode(error) === 'EPERM'
  }
}

const NAME = /(?:^switchyard-git-|\.new-)([0-9a-f]{8})-(\d+)-[^.]+$/

/**
 * Removes what processes that are gone were making.
 *
 * @param directories - where to look: the temporary directory, the parent of working directories.
 */
export const clearStaging = async (directories: readonly string[]): Promise<void> => {
  for (const directory of directories)
    for (const name of await readdir(directory).catch(() => [])) {
      const [, where, pid] = NAME.exec(name) ?? []
      if (where === undefined || (where === HERE && Number(pid) === process.pid)) continue
      const place = path.join(directory, name)
      const found = await stat(place).catch(() => undefined)
      const isGone = where === HERE && !isAlive(Number(pid))
      if (found && (isGone || Date.now() - found.mtimeMs > LONGEST_MS))
        await rm(place, { recursive: true, force: true })
    }
}
