// Starts the api with a real database on a real port, without a worker.

import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createApi, type Serving, serve } from '@switchyard/api'
import { createLogger, type Logger, loadConfig } from '@switchyard/config'
import { createBus, TaskQueue } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { createDatabase } from '@switchyard/testing'

export type RunningApi = {
  readonly url: string
  readonly records: Records
  readonly bus: ReturnType<typeof createBus>
  readonly home: string
  readonly workspacesDir: string
  readonly logger: Logger
  /** Stops the api and starts another one on the same port. */
  restart(): Promise<void>
  close(): Promise<void>
}

/**
 * Starts the api.
 *
 * @param env - environment variables; without any, the installation has no API keys
 */
export const startApi = async (env: Readonly<Record<string, string>> = {}): Promise<RunningApi> => {
  const database = await createDatabase()
  const home = await mkdtemp(path.join(tmpdir(), 'switchyard-mcp-'))
  const config = loadConfig({ SWITCHYARD_HOME: home, LOG_LEVEL: 'silent', ...env })
  await mkdir(config.workspacesDir, { recursive: true })
  const logger = createLogger(config, 'api')
  const records = new Records({ connectionString: database.url, applicationName: 'mcp-test' })
  await records.migrate()
  const queue = new TaskQueue({ postgresUrl: database.url }, logger)
  await queue.ready()
  const bus = createBus(undefined, logger)

  const start = async (port: number): Promise<{ serving: Serving; stop: () => Promise<void> }> => {
    const api = createApi({ config, records, queue, bus, logger })
    const serving = await serve(api.app, { host: '127.0.0.1', port })
    const stop = async () => {
      await api.close()
      await serving.close()
    }
    return { serving, stop }
  }

  let running = await start(0)
  const { url, port } = running.serving
  return {
    url: `${url}/mcp`,
    records,
    bus,
    home,
    workspacesDir: config.workspacesDir,
    logger,
    async restart() {
      await running.stop()
      running = await start(port)
    },
    async close() {
      await running.stop()
      await bus.close()
      await queue.close()
      await records.close()
      await rm(home, { recursive: true, force: true })
      await database.drop()
    },
  }
}
