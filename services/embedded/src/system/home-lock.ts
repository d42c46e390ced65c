// Locks a data directory for one process.
//
// The lock is one of the kernel (fcntl, taken by SQLite on an empty file). It disappears with the
// process, however that ends, so it is never stale and two processes cannot race for it. A pid file
// gives neither guarantee, and a pid means nothing between two containers that share a volume. The pid
// is stored next to the lock for the error message only.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { directoryUnwritable, diskFull, SwitchyardError } from '@switchyard/contracts'
import { fromHomeError } from './home-errors.ts'
import { isAlive } from './processes.ts'

const LOCK_FILE = 'lock.db'
const OWNER_FILE = 'owner.json'
/** How long a process that did not get the lock waits for the pid of the one that did, ms. */
const OWNER_WAIT_MS = 250

// https://www.sqlite.org/rescode.html, the low byte.
const SQLITE = { busy: 5, locked: 6, readonly: 8, full: 13, cantOpen: 14 } as const

export type HomeLock = {
  readonly directory: string
  /** Releases the directory. Safe to call twice. */
  release(): void
}

/**
 * Locks the directory for this process, and creates it if it does not exist.
 *
 * @throws SwitchyardError `home_in_use` (names the directory and the pid), `directory_unwritable`, `disk_full`
 * @example const lock = await lockHome('/srv/switchyard')
 */
export const lockHome = async (directory: string): Promise<HomeLock> => {
  const ownerFile = path.join(directory, OWNER_FILE)
  let database: DatabaseSync | undefined
  try {
    // As root, others may pass through but not list it: PostgreSQL runs as another account.
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
      throw directoryUnwritable(directory, 'cannot open its lock file', error)
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
    // Missing or incomplete: the owner is writing it at this moment.
  }
  return undefined
}
