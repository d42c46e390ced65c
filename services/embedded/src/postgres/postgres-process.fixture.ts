// A separate process for tests: locks the home given as argument and runs its PostgreSQL until SIGTERM.

import { SwitchyardError } from '@switchyard/contracts'
import { pino } from 'pino'
import { lockHome } from '../system/home-lock.ts'
import { startPostgres } from './postgres.ts'

const report = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
try {
  const home = process.argv[2] ?? ''
  const lock = await lockHome(home)
  const postgres = await startPostgres({ home, logger: pino({ level: 'silent' }) })
  report({ url: postgres.url, pid: postgres.pid(), data: postgres.dataDirectory })
  const idle = setInterval(() => {}, 60_000)
  process.once('SIGTERM', async () => {
    clearInterval(idle)
    await postgres.stop()
    lock.release()
  })
} catch (error) {
  report(error instanceof SwitchyardError ? { code: error.code, message: error.message } : { message: String(error) })
  process.exitCode = 1
}
