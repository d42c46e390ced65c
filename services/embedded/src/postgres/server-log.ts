// The log of the PostgreSQL server: a file, and the last lines in memory for error messages.

import { type LogFile, openLogFile } from '../system/log-file.ts'

const TAIL_LINES = 20

export type ServerLog = Pick<LogFile, 'file' | 'close'> & {
  write(line: string): void
  /** Returns the last 20 lines, oldest first. */
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
