// Writes sessions and messages to OpenCode's database, for tests with months of history. Creating
// them through the API would take minutes.

import { DatabaseSync, type SQLInputValue } from 'node:sqlite'

type Row = Record<string, SQLInputValue>

const BUSY_MS = 10_000

export type SessionDatabase = {
  /**
   * Adds copies of a session. The update time of each is a millisecond before that of the one
   * before it.
   */
  readonly copySession: (sessionId: string, copies: number) => void
  /** Adds copies of a session's first message before it. Returns their ids, oldest first. */
  readonly copyMessage: (sessionId: string, copies: number) => readonly string[]
  /** Moves the update time of a session back by `ms`. */
  readonly age: (sessionId: string, ms: number) => void
  readonly close: () => void
}

/**
 * Opens the database of an OpenCode server, which may be running.
 *
 * @param file - `opencode/opencode.db` in the server's XDG_DATA_HOME
 */
export const openSessionDatabase = (file: string): SessionDatabase => {
  const db = new DatabaseSync(file, { timeout: BUSY_MS })
  const one = (sql: string, ...args: SQLInputValue[]): Row => {
    const row = db.prepare(sql).get(...args)
    if (!row) throw new Error(`no row: ${sql} (${args.join(', ')})`)
    return row
  }
  const insert = (table: string, row: Row): void => {
    const columns = Object.keys(row)
    db.prepare(
      `INSERT INTO ${table} (${columns.map((name) => `"${name}"`).join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    ).run(...Object.values(row))
  }
  const inTransaction = (work: () => void): void => {
    db.exec('BEGIN IMMEDIATE')
    work()
    db.exec('COMMIT')
  }
  const numbered = (prefix: string, number: number): string => `${prefix}_00${String(number).padStart(10, '0')}`
  return {
    copySession: (sessionId, copies) => {
      const row = one('SELECT * FROM session WHERE id = ?', sessionId)
      inTransaction(() => {
        for (let number = 1; number <= copies; number += 1)
          insert('session', {
            ...row,
            id: `${sessionId}x${number}`,
            slug: `copy-${number}`,
            time_updated: Number(row.time_updated) - number,
          })
      })
    },
    copyMessage: (sessionId, copies) => {
      const message = one('SELECT * FROM message WHERE session_id = ? ORDER BY time_created, id', sessionId)
      const part = one('SELECT * FROM part WHERE message_id = ? ORDER BY id', message.id ?? null)
      const ids = Array.from({ length: copies }, (_, number) => numbered('msg', number))
      inTransaction(() => {
        for (const [number, id] of ids.entries()) {
          const created = Number(message.time_created) - copies + number
          const data = { ...JSON.parse(String(message.data)), time: { created } }
          insert('message', { ...message, id, time_created: created, data: JSON.stringify(data) })
          insert('part', { ...part, id: numbered('prt', number), message_id: id })
        }
      })
      return ids
    },
    age: (sessionId, ms) => {
      db.prepare('UPDATE session SET time_updated = time_updated - ? WHERE id = ?').run(ms, sessionId)
    },
    close: () => db.close(),
  }
}
