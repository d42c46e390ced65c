// The server's log: a file of bounded size, and its last lines in memory for the message when the server fails.

import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import path from 'node:path'

const MAX_BYTES = 5_000_000
const TAIL_LINES = 20

export type LogFile = {
  readonly file: string
  write(line: string): void
  /** The last lines, oldest first. */
  tail(): readonly string[]
}

/** Appends to `file`; at 5 MB it becomes `file.1`, which replaces the one before. */
export const openLogFile = (file: string): LogFile => {
  mkdirSync(path.dirname(file), { recursive: true })
  let size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  const last: string[] = []
  return {
    file,
    write(line) {
      last.push(line)
      if (last.length > TAIL_LINES) last.shift()
      try {
        if (size > MAX_BYTES) {
          renameSync(file, `${file}.1`)
          size = 0
        }
        appendFileSync(file, `${line}\n`)
        size += line.length + 1
      } catch {
        // A full disk must not take the server down with its own complaint about it; the tail still has the line.
      }
    },
    tail: () => [...last],
  }
}
