// The entry point of a service that runs as a process of its own.

import { type Config, createLogger, type Logger, loadConfig, warnOfWeakSecrets } from '@switchyard/config'
import { type Host, runUntilStopped } from './run-until-stopped.ts'
import { createShutdown, type Shutdown } from './shutdown.ts'

export type RunContext = {
  readonly config: Config
  readonly logger: Logger
  /** Components to stop, the last one added first. */
  readonly shutdown: Pick<Shutdown, 'add'>
  /** Aborts when the process is to stop; what was started until then is stopped without waiting for `start`. */
  readonly signal: AbortSignal
}

type Main = {
  /** Limit of the whole shutdown, ms; the exit code is 1 when it has passed. */
  readonly stopMs: number
  readonly start: (context: RunContext) => Promise<void>
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly host?: Host
}

const whenAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

/**
 * Runs a service until SIGTERM or SIGINT: loads its configuration, creates its logger, warns about weak secrets,
 * starts it, and stops its components in order. An error at the start is printed as code, message and hint.
 *
 * @param service - the name in the configuration and in the log: `worker`.
 * @example await runMain('worker', { stopMs: 15_000, start: async ({ config, logger, shutdown }) => { … } })
 */
export const runMain = async (
  service: 'api' | 'worker' | 'notifier' | 'docker-filter' | 'model-gateway',
  main: Main,
): Promise<void> => {
  const { stopMs, start, environment, host } = main
  let logger: Logger | undefined
  await runUntilStopped({
    signals: ['SIGTERM', 'SIGINT'],
    onSignal: (signal) => logger?.info({ signal }, 'stopping'),
    start: async ({ signal }) => {
      const config = loadConfig(environment, service)
      logger = createLogger(config, service)
      warnOfWeakSecrets(config, logger)
      const shutdown = createShutdown(logger, { totalMs: stopMs })
      await Promise.race([start({ config, logger, shutdown, signal }), whenAborted(signal)])
      return () => shutdown.run()
    },
    ...(host ? { host } : {}),
  })
}
