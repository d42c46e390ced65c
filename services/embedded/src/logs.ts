// Where the log goes when a person starts Switchyard: all of it to a file, what needs attention to the terminal too.

import path from 'node:path'
import { type MultiStreamRes, pino } from 'pino'
import { openLogFile } from './log-file.ts'

export type Logs = Pick<MultiStreamRes, 'write'> & { close(): void }

export const openLogs = (home: string): Logs => {
  const file = openLogFile(path.join(home, 'logs', 'switchyard.log'))
  const streams = pino.multistream([
    { level: 'trace', stream: file },
    { level: 'warn', stream: process.stderr },
  ])
  return Object.assign(streams, { close: () => file.close() })
}
