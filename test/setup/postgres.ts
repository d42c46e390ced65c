// One real PostgreSQL for a whole test run: the embedded one. Test files make databases of their own on it.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startPostgres } from '@switchyard/embedded'
import { pino } from 'pino'

export const setup = async (): Promise<() => Promise<void>> => {
  const home = await mkdtemp(path.join(tmpdir(), 'switchyard-test-postgres-'))
  // Open to pass through: as root, the database runs as another user, and would be put elsewhere.
  await chmod(home, 0o711)
  const postgres = await startPostgres({ home, logger: pino({ level: 'silent' }) })
  process.env.TEST_POSTGRES_URL = postgres.url
  return async () => {
    await postgres.stop()
    await rm(home, { recursive: true, force: true })
  }
}
