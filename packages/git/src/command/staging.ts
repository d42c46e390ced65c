// Directories that exist only while something is being created. Their names contain the id of the process
// that created them, so that another process can remove what a killed one left.

import { createHash, randomUUID } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { systemErrorCode } from '@switchyard/contracts'

/**
 * Age after which a staging directory is abandoned even if we cannot check its process, ms. No step takes
 * longer: a bundle may take 5 minutes.
 */
const MAX_AGE_MS = 30 * 60_000

const processNamespace = (): string => {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    // Other systems than Linux have one process namespace per machine.
    return ''
  }
}

/** Identifies this machine and process namespace: containers share directories but not process ids. */
const HERE = createHash('sha256').update(`${hostname()} ${processNamespace()}`).digest('hex').slice(0, 8)

/** Returns the part of a name that identifies a process of this machine; default: this process. */
export const stagingMark = (pid = process.pid): string => `${HERE}-${pid}-`

/** Returns a path next to `target`, in which its content is created before a rename. */
export const stagingPath = (target: string): string => `${target}.new-${stagingMark()}${randomUUID().slice(0, 8)}`

/**
 * Returns true when `name` is a staging name of `target`, a name without its directory. The match is exact
 * because people choose similar names, such as a sandbox `ui.new-menu`.
 */
export const isStagingOf = (target: string, name: string): boolean =>
  name.startsWith(target) && /^\.new-[0-9a-f]{8}-\d+-[0-9a-f]{8}$/.test(name.slice(target.length))

/** Returns the beginning of the names of this process's temporary repositories. */
export const temporaryRepositoryPrefix = (): string => `switchyard-git-${stagingMark()}`

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
 * Removes staging directories and temporary repositories whose process no longer runs.
 *
 * @param directories - where to look: the temporary directory, and the parents of working directories
 */
export const removeStaleStaging = async (directories: readonly string[]): Promise<void> => {
  for (const directory of directories)
    for (const name of await readdir(directory).catch(() => [])) {
      const [, where, pid] = NAME.exec(name) ?? []
      if (where === undefined || (where === HERE && Number(pid) === process.pid)) continue
      const target = path.join(directory, name)
      const found = await stat(target).catch(() => undefined)
      const isStopped = where === HERE && !isAlive(Number(pid))
      if (found && (isStopped || Date.now() - found.mtimeMs > MAX_AGE_MS))
        await rm(target, { recursive: true, force: true })
    }
}
