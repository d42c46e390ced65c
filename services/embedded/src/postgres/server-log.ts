// What the PostgreSQL server writes: to a file, and its last lines kept for the message when it fails.

import { type LogFile, openLogFile } from '../log-file.ts'

const TAIL_LINES = 20

export type ServerLog = Pick<LogFile, 'file' | 'close'> & {
  write(line: string): void
  /** The last lines, oldest first. */
  tail(): readonly string[]
}

export const openServerLog = (file: string): ServerLog => {
  const log = openLogFile(file)
  const last: string[] = []
  return {
    file,
    write(line) {
      last.push(line)
      if (last.length > TAIL_LINES) last.shift()
      log.write(`${line}\n`)
    },
    tail: () => [...last],
    close: log.close,
  }
}
