// Runs the api as a separate process.

import type { Logger } from '@switchyard/config'
import { SwitchyardError } from '@switchyard/contracts'
import { type RunContext, runMain } from '@switchyard/process'
import { createBus, TaskQueue } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { createApi } from './app.ts'
import { serve } from './http/serve.ts'
import { POOL } from './pool.ts'

/** Limit of the whole shutdown, ms. */
const STOP_MS = 10_000

/** Waits for the database and migrates its schema, without the short statement timeout of the api's own pool. */
const migrate = async (connectionString: string, logger: Logger, signal: AbortSignal): Promise<void> => {
  const records = new Records({ connectionString, applicationName: 'switchyard-api-start', max: 2 })
  try {
    await records.untilReady({
      onWait: (error) => logger.warn({ err: error.message }, 'waiting for the database'),
      signal,
    })
    const migrated = await records.migrate()
    if (migrated.length > 0) logger.info({ migrated }, 'database schema migrated')
  } finally {
    await records.close()
  }
}

const start = async ({ config, logger, shutdown, signal }: RunContext): Promise<void> => {
  const { databaseUrl, redisUrl } = config
  if (databaseUrl === undefined)
    throw new SwitchyardError('configuration_invalid', 'DATABASE_URL is not set', {
      hint: 'Set DATABASE_URL, or run everything in one process with npm start.',
    })
  await migrate(databaseUrl, logger, signal)
  const records = new Records({
    connectionString: databaseUrl,
    applicationName: 'switchyard-api',
    ...POOL,
    onConnectionError: (error) => logger.warn({ err: error.message }, 'database connection failed'),
  })
  shutdown.add('database', STOP_MS, () => records.close())
  const queue = new TaskQueue(redisUrl === undefined ? { postgresUrl: databaseUrl } : { redisUrl }, logger)
  shutdown.add('queue', STOP_MS, () => queue.close())
  const bus = createBus(redisUrl, logger)
  shutdown.add('bus', STOP_MS, () => bus.close())
  const api = createApi({ config, records, queue, bus, logger })
  const serving = await serve(api.app, config.api)
  shutdown.add('api', STOP_MS, async () => {
    // The server stops accepting connections first. It can finish only after the api has closed its event streams.
    const closed = serving.close()
    await api.close()
    await closed
  })
  const { keys, allowNoAuth } = config.api
  logger.info({ url: serving.url, keys: keys.length }, 'api listening')
  if (keys.length === 0)
    logger.warn(
      allowNoAuth
        ? 'SWITCHYARD_API_KEYS is not set and SWITCHYARD_ALLOW_NO_AUTH is; every client that reaches the port is an operator'
        : 'SWITCHYARD_API_KEYS is not set; only loopback clients are served, and each of them is an operator',
    )
}

await runMain('api', { stopMs: STOP_MS, start })
