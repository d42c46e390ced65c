// The log of `npm start`: everything goes to a file, warnings also to the terminal.

import path from 'node:path'
import { type MultiStreamRes, pino } from 'pino'
import { openLogFile } from './system/log-file.ts'

export type Logs = Pick<MultiStreamRes, 'write'> & { close(): void }

export const openLogs = (home: string): Logs => {
  const file = openLogFile(path.join(home, 'logs', 'switchyard.log'))
  const streams = pino.multistream([
    { level: 'trace', stream: file },
    { level: 'warn', stream: process.stderr },
  ])
  return Object.assign(streams, { close: () => file.close() })
}
