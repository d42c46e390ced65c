// Starts the whole system on this machine: api, workers, OpenCode, PostgreSQL and Valkey as real
// processes, and the scripted model.

import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type ScriptedModel, startScriptedModel } from '@switchyard/testing'
import { freePort } from './free-port.ts'
import { type RestartingOpenCode, startRestartingOpenCode } from './opencode.ts'
import { type PostgresProcess, startPostgresProcess } from './postgres.ts'
import { MARK } from './processes.ts'
import { type Service, startService } from './service.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
import { startValkey, type Valkey } from './valkey.ts'
import { waitUntil, withTimeout } from './wait.ts'

/** A worker; `id` is the one under which it owns tasks. */
export type WorkerService = Service & { readonly id: () => Promise<string> }

export type TestSystem = {
  readonly runId: string
  readonly home: string
  /** Directory of the services' temporary files. */
  readonly temporary: string
  readonly workspaces: string
  readonly model: ScriptedModel
  readonly postgres: PostgresProcess
  readonly valkey: Valkey
  readonly opencode: RestartingOpenCode
  /** Proxy between the workers and OpenCode. */
  readonly opencodeProxy: TcpProxy
  /** Proxy between the clients and the api. `clientUrl` is its address. */
  readonly apiProxy: TcpProxy
  readonly clientUrl: string
  /** The api's address without the proxy. */
  readonly apiUrl: string
  readonly api: () => Service
  readonly workers: () => readonly WorkerService[]
  /** Returns the worker that owns a task, or undefined. */
  readonly ownerOf: (taskId: string) => Promise<WorkerService | undefined>
  readonly startWorker: (env?: Readonly<Record<string, string>>) => WorkerService
  /** Starts an api on the same port. The previous one must have exited. */
  readonly startApi: (env?: Readonly<Record<string, string>>) => Service
  /** Starts a notifier. Only its own scenario needs one. */
  readonly startNotifier: (env: Readonly<Record<string, string>>) => Service
  /**
   * Starts a missing api and missing workers (default: 2 in total). Resolves when everything is
   * ready.
   */
  readonly restoreServices: (workers?: number) => Promise<void>
  /** Stops all services with SIGTERM. Returns the names of those that had to be killed. */
  readonly stopServices: () => Promise<readonly string[]>
  /** Stops everything, and removes the home directory unless `keepHome` is set. */
  readonly close: (keepHome: boolean) => Promise<void>
}

const WORKERS = 2
const READY_MS = 60_000
const STOP_LIMIT_MS = 16_000

export const startSystem = async (): Promise<TestSystem> => {
  const runId = randomBytes(4).toString('hex')
  const closing: (() => Promise<unknown>)[] = []
  const closeAll = async (): Promise<void> => {
    for (const step of closing.splice(0).reverse())
      await step().catch((error: Error) => process.stderr.write(`${error.stack}\n`))
  }
  try {
    const home = await mkdtemp(path.join(tmpdir(), `switchyard-chaos-${runId}-`))
    // As root, the database runs as another user, who must be able to enter the directory.
    await chmod(home, 0o711)
    const temporary = path.join(home, 'tmp')
    const logs = path.join(home, 'logs')
    const workspaces = path.join(home, 'workspaces')
    for (const directory of [temporary, logs, workspaces]) await mkdir(directory, { recursive: true })

    const model = await startScriptedModel()
    closing.push(model.close)
    const postgres = await startPostgresProcess(path.join(home, 'database'))
    closing.push(postgres.close)
    const valkey = await startValkey(runId)
    closing.push(valkey.close)
    const opencode = await startRestartingOpenCode({
      dataDir: path.join(home, 'opencode'),
      home,
      modelUrl: model.url,
      runId,
    })
    closing.push(opencode.close)
    const opencodeProxy = await startTcpProxy(() => opencode.port)
    closing.push(opencodeProxy.close)
    const apiPort = await freePort()
    const apiProxy = await startTcpProxy(() => apiPort)
    closing.push(apiProxy.close)

    const env = {
      PATH: process.env.PATH ?? '',
      HOME: home,
      TMPDIR: temporary,
      [MARK]: runId,
      DATABASE_URL: postgres.url,
      REDIS_URL: valkey.url,
      SWITCHYARD_HOME: home,
      WORKSPACES_DIR: workspaces,
      OPENCODE_SERVER_URL: `http://127.0.0.1:${opencodeProxy.port}`,
      OPENCODE_SERVER_PASSWORD: opencode.password,
      // Scenarios cut connections hundreds of times, so reconnect sooner than in production.
      OPENCODE_SERVER_RETRY_DELAY_MS: '100',
      MAX_CONCURRENT_TASKS: '6',
      PORT: String(apiPort),
      WORKER_PORT: '0',
    }
    const started: Service[] = []
    let workers: readonly WorkerService[] = []
    let api: Service | undefined
    let count = 0
    const logFile = (name: string): string => path.join(logs, `${name}.log`)

    /**
     * Sets the application name of a service's database connections, by which event-writers.ts
     * identifies it.
     */
    const named = (url: string, name: string): string => `${url}?application_name=${name}`

    const startWorker: TestSystem['startWorker'] = (more = {}) => {
      count += 1
      const service = startService({
        name: `worker-${count}`,
        main: 'services/worker/src/main.ts',
        env: { ...env, DATABASE_URL: named(postgres.url, `worker-${count}`), ...more },
        logFile: logFile(`worker-${count}`),
        readyMessage: 'worker ready',
      })
      const worker = { ...service, id: async () => String((await service.ready).worker_id) }
      started.push(worker)
      workers = [...workers.filter((each) => each.isAlive()), worker]
      return worker
    }
    const startApi: TestSystem['startApi'] = (more = {}) => {
      const service = startService({
        name: 'api',
        main: 'services/api/src/main.ts',
        env: { ...env, ...more },
        logFile: logFile('api'),
        readyMessage: 'api listening',
      })
      started.push(service)
      api = service
      return service
    }
    const startNotifier: TestSystem['startNotifier'] = (more) => {
      const service = startService({
        name: 'notifier',
        main: 'services/notifier/src/main.ts',
        env: { ...env, NOTIFIER_PORT: '0', DATABASE_URL: named(postgres.url, 'notifier'), ...more },
        logFile: logFile('notifier'),
        readyMessage: 'notifier ready',
      })
      started.push(service)
      return service
    }
    const stopServices = async (): Promise<readonly string[]> => {
      const alive = started.filter((service) => service.isAlive())
      const took = await Promise.all(
        alive.map(async (service) => [service.name, await service.stop(STOP_LIMIT_MS)] as const),
      )
      return took.filter(([, ms]) => ms >= STOP_LIMIT_MS).map(([name]) => name)
    }
    closing.push(stopServices)

    const apiUrl = `http://127.0.0.1:${apiPort}`
    const living = (): readonly WorkerService[] => workers.filter((worker) => worker.isAlive())
    const apiNow = (): Service => {
      if (!api) throw new Error('the api was not started')
      return api
    }
    const restoreServices: TestSystem['restoreServices'] = async (wanted = WORKERS) => {
      if (!api?.isAlive()) startApi()
      for (let missing = wanted - living().length; missing > 0; missing -= 1) startWorker()
      const ready = Promise.all([apiNow().ready, ...living().map((worker) => worker.ready)])
      if (!(await withTimeout(ready, READY_MS))) throw new Error(`api or workers are not ready after ${READY_MS} ms`)
      await waitUntil(
        'the api reports ready',
        async () => (await fetch(`${apiUrl}/ready`, { signal: AbortSignal.timeout(5_000) })).status === 200,
        60_000,
        200,
      )
    }
    return {
      runId,
      home,
      temporary,
      workspaces,
      model,
      postgres,
      valkey,
      opencode,
      opencodeProxy,
      apiProxy,
      clientUrl: `http://127.0.0.1:${apiProxy.port}`,
      apiUrl,
      api: apiNow,
      workers: living,
      ownerOf: async (taskId) => {
        const rows = await postgres.query<{ worker_id: string | null }>('SELECT worker_id FROM tasks WHERE id = $1', [
          taskId,
        ])
        for (const worker of living()) if ((await worker.id()) === rows[0]?.worker_id) return worker
        return undefined
      },
      startWorker,
      startApi,
      startNotifier,
      restoreServices,
      stopServices,
      close: async (keepHome) => {
        if (!keepHome) closing.unshift(() => rm(home, { recursive: true, force: true, maxRetries: 5 }))
        await closeAll()
      },
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}
