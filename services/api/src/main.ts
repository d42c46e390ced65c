// The api as a process of its own, in the stack.

import { createLogger, type Logger, loadConfig, warnOfWeakSecrets } from '@switchyard/config'
import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import { createBus, TaskQueue } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { createApi } from './app.ts'
import { POOL } from './pool.ts'
import { serve } from './serve.ts'

/** A stop that takes longer than this is not waited for, ms. */
const STOP_MS = 10_000

/** Waits for the database and brings its schema up to date, with more time for a statement than calls have. */
const bringUpToDate = async (connectionString: string, logger: Logger): Promise<void> => {
  const records = new Records({ connectionString, applicationName: 'switchyard-api-start', max: 2 })
  try {
    await records.untilReady({ onWait: (error) => logger.warn({ err: error.message }, 'waiting for the database') })
    const migrated = await records.migrate()
    if (migrated.length > 0) logger.info({ migrated }, 'the schema is up to date')
  } finally {
    await records.close()
  }
}

const main = async (): Promise<void> => {
  const config = loadConfig(undefined, 'api')
  const logger = createLogger(config, 'api')
  warnOfWeakSecrets(config, logger)
  const { databaseUrl, redisUrl } = config
  if (databaseUrl === undefined)
    throw new SwitchyardError('configuration_invalid', 'DATABASE_URL is not set; an api of its own needs it', {
      hint: 'Set DATABASE_URL, or run everything in one process with npm start.',
    })
  await bringUpToDate(databaseUrl, logger)
  const records = new Records({
    connectionString: databaseUrl,
    applicationName: 'switchyard-api',
    ...POOL,
    onConnectionError: (error) => logger.warn({ err: error.message }, 'a database connection broke'),
  })
  const queue = new TaskQueue(redisUrl === undefined ? { postgresUrl: databaseUrl } : { redisUrl }, logger)
  const bus = createBus(redisUrl, logger)
  const api = createApi({ config, records, queue, bus, logger })
  const serving = await serve(api.app, config.api)
  const { keys, allowNoAuth } = config.api
  logger.info({ url: serving.url, keys: keys.length }, 'the api listens')
  if (keys.length === 0)
    logger.warn(
      allowNoAuth
        ? 'SWITCHYARD_API_KEYS is not set and SWITCHYARD_ALLOW_NO_AUTH is: whoever reaches the port is an operator'
        : 'SWITCHYARD_API_KEYS is not set: only loopback is served, and whoever is on this host is an operator',
    )

  const stop = async (signal: string) => {
    logger.info({ signal }, 'stopping')
    setTimeout(() => process.exit(1), STOP_MS).unref()
    const listening = serving.close()
    await api.close()
    await listening
    await bus.close()
    await queue.close()
    await records.close()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal))
}

main().catch((error: unknown) => {
  if (isSwitchyardError(error)) process.stderr.write(`${error.code}: ${error.message}\n${error.hint}\n`)
  else process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exit(1)
})
