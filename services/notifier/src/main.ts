// The notifier as a separate process, for the stack.

import { SwitchyardError } from '@switchyard/contracts'
import { type RunContext, runMain } from '@switchyard/process'
import { createBus } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { serveHealth } from './health.ts'
import { startNotifier } from './notifier.ts'

/** Limit of the whole shutdown, ms. A delivery that is cut off becomes due again under the same id. */
const STOP_MS = 20_000

const start = async ({ config, logger, shutdown, signal }: RunContext): Promise<void> => {
  const { databaseUrl, redisUrl } = config
  if (databaseUrl === undefined)
    throw new SwitchyardError('configuration_invalid', 'DATABASE_URL is not set, and the notifier process needs it', {
      hint: 'Set DATABASE_URL, or run everything in one process with npm start.',
    })
  const records = new Records({
    connectionString: databaseUrl,
    applicationName: 'switchyard-notifier',
    max: 15,
    onConnectionError: (error) => logger.warn({ err: error.message }, 'database connection failed'),
  })
  shutdown.add('database', STOP_MS, () => records.close())
  await records.untilReady({
    onWait: (error) => logger.warn({ err: error.message }, 'database unavailable; retrying'),
    signal,
  })
  await records.migrate()
  const connection = redisUrl === undefined ? { postgresUrl: databaseUrl } : { redisUrl }
  const bus = createBus(redisUrl, logger)
  shutdown.add('bus', STOP_MS, () => bus.close())
  const notifier = await startNotifier({ config, records, connection, bus, logger })
  const health = serveHealth(config.notifier.port, notifier)
  shutdown.add('health', STOP_MS, () => health.close())
  shutdown.add('notifier', STOP_MS, () => notifier.close())
}

await runMain('notifier', { stopMs: STOP_MS, start })
