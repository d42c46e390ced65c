// Exclusive use of one data directory by one process.
//
// The lock is the kernel's own (fcntl, taken by SQLite on an empty file): it goes with the process, however that
// ends, so no lock is ever stale and no take-over can race. A pid in a file could do neither, and means nothing
// between two containers that share a volume. The pid is written beside it, for the message only.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { directoryUnwritable, diskFull, SwitchyardError } from '@switchyard/contracts'
import { fromHomeError } from './home-errors.ts'
import { isAlive } from './processes.ts'

const LOCK_FILE = 'lock.db'
const OWNER_FILE = 'owner.json'
/** How long the loser of a race waits for the winner to write its pid. */
const OWNER_WAIT_MS = 250

// https://www.sqlite.org/rescode.html, the low byte.
const SQLITE = { busy: 5, locked: 6, readonly: 8, full: 13, cantOpen: 14 } as const

export type HomeLock = {
  readonly directory: string
  /** Gives the directory free. Safe to call twice. */
  release(): void
}

/**
 * Takes the directory for this process, making it where it is missing.
 *
 * @throws SwitchyardError `home_in_use` (names the directory and the pid), `directory_unwritable`, `disk_full`.
 * @example const lock = await lockHome('/srv/switchyard')
 */
export const lockHome = async (directory: string): Promise<HomeLock> => {
  const ownerFile = path.join(directory, OWNER_FILE)
  let database: DatabaseSync | undefined
  try {
    // Passable but not listable as root: the account that runs PostgreSQL has to get through.
    mkdirSync(directory, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 })
    database = new DatabaseSync(path.join(directory, LOCK_FILE), { timeout: 0 })
    database.exec('BEGIN IMMEDIATE')
    writeFileSync(ownerFile, JSON.stringify({ pid: process.pid, started_at: new Date().toISOString() }), {
      mode: 0o644,
    })
  } catch (error) {
    database?.close()
    const reason = sqliteReason(error)
    if (reason === SQLITE.busy || reason === SQLITE.locked) throw await homeInUse(directory, ownerFile)
    if (reason === SQLITE.full) throw diskFull(directory, error)
    if (reason === SQLITE.cantOpen || reason === SQLITE.readonly)
      throw directoryUnwritable(directory, 'its lock file cannot be opened', error)
    throw fromHomeError(error, directory)
  }
  const held = database
  return {
    directory,
    release() {
      if (!held.isOpen) return
      rmSync(ownerFile, { force: true })
      held.close()
    },
  }
}

const sqliteReason = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined

const homeInUse = async (directory: string, ownerFile: string): Promise<SwitchyardError> => {
  const deadline = Date.now() + OWNER_WAIT_MS
  let pid = readOwner(ownerFile)
  while ((pid === undefined || !isAlive(pid)) && Date.now() < deadline) {
    await sleep(10)
    pid = readOwner(ownerFile)
  }
  const by = pid === undefined ? 'another Switchyard' : `another Switchyard (process ${pid})`
  return new SwitchyardError('home_in_use', `${directory} is in use by ${by}`, { context: { directory, pid } })
}

const readOwner = (ownerFile: string): number | undefined => {
  try {
    const owner: unknown = JSON.parse(readFileSync(ownerFile, 'utf8'))
    if (typeof owner === 'object' && owner !== null && 'pid' in owner && typeof owner.pid === 'number') return owner.pid
  } catch {
    // Missing or half written: the winner is just writing it.
  }
  return undefined
}
