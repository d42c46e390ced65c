// The notifier as a process of its own, in the stack.

import { createLogger, loadConfig, warnOfWeakSecrets } from '@switchyard/config'
import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import { createBus } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { serveHealth } from './health.ts'
import { startNotifier } from './notifier.ts'

/** A stop that takes longer than this is not waited for, ms: what was being sent is due again later, under its id. */
const STOP_MS = 20_000

const main = async (): Promise<void> => {
  const config = loadConfig(undefined, 'notifier')
  const logger = createLogger(config, 'notifier')
  warnOfWeakSecrets(config, logger)
  const { databaseUrl, redisUrl } = config
  if (databaseUrl === undefined)
    throw new SwitchyardError('configuration_invalid', 'DATABASE_URL is not set; a notifier of its own needs it', {
      hint: 'Set DATABASE_URL, or run everything in one process with npm start.',
    })
  const records = new Records({
    connectionString: databaseUrl,
    applicationName: 'switchyard-notifier',
    max: 15,
    onConnectionError: (error) => logger.warn({ err: error.message }, 'a database connection broke'),
  })
  await records.untilReady({ onWait: (error) => logger.warn({ err: error.message }, 'waiting for the database') })
  await records.migrate()
  const connection = redisUrl === undefined ? { postgresUrl: databaseUrl } : { redisUrl }
  const bus = createBus(redisUrl, logger)
  const notifier = await startNotifier({ config, records, connection, bus, logger })
  const health = serveHealth(config.notifier.port, notifier)

  const stop = async (signal: string) => {
    logger.info({ signal }, 'stopping')
    setTimeout(() => process.exit(1), STOP_MS).unref()
    await notifier.close()
    await health.close()
    await bus.close()
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
