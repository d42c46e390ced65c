// The whole system as real processes on this machine: api, workers, OpenCode, PostgreSQL, Valkey, and the scripted model.

import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type ScriptedModel, startScriptedModel } from '@switchyard/testing'
import { freePort } from './free-port.ts'
import { type Line, openLine } from './line.ts'
import { type OpenCodeVictim, startVictimOpenCode } from './opencode.ts'
import { type PostgresVictim, startVictimPostgres } from './postgres.ts'
import { MARK } from './processes.ts'
import { type Service, startService } from './service.ts'
import { startValkey, type Valkey } from './valkey.ts'
import { until, within } from './wait.ts'

/** A worker, with the id under which it owns tasks. */
export type WorkerService = Service & { readonly id: () => Promise<string> }

export type World = {
  readonly runId: string
  readonly home: string
  /** Where the services put temporary files. */
  readonly temporary: string
  readonly workspaces: string
  readonly model: ScriptedModel
  readonly postgres: PostgresVictim
  readonly valkey: Valkey
  readonly opencode: OpenCodeVictim
  /** Between the workers and OpenCode. */
  readonly toOpenCode: Line
  /** Between the clients and the api; `clientUrl` goes through it. */
  readonly toApi: Line
  readonly clientUrl: string
  /** The api without a line between. */
  readonly apiUrl: string
  readonly api: () => Service
  readonly workers: () => readonly WorkerService[]
  /** The worker that owns this task now, or undefined. */
  readonly ownerOf: (taskId: string) => Promise<WorkerService | undefined>
  readonly startWorker: (env?: Readonly<Record<string, string>>) => WorkerService
  /** Starts an api on the same port; the one before must have ended. */
  readonly startApi: (env?: Readonly<Record<string, string>>) => Service
  /** Nothing of a whole system but its own scenario needs one. */
  readonly startNotifier: (env: Readonly<Record<string, string>>) => Service
  /** Fills up to this many living workers, and waits until everything reports ready. */
  readonly untilWhole: (workers?: number) => Promise<void>
  /** Ends all services by SIGTERM. @returns the names of those that had to be killed. */
  readonly stopServices: () => Promise<readonly string[]>
  /** Ends everything. The home goes, unless it is to be looked at. */
  readonly close: (keepHome: boolean) => Promise<void>
}

const WORKERS = 2
const READY_MS = 60_000
const STOP_LIMIT_MS = 16_000

export const startWorld = async (): Promise<World> => {
  const runId = randomBytes(4).toString('hex')
  const closing: (() => Promise<unknown>)[] = []
  const closeAll = async (): Promise<void> => {
    for (const step of closing.splice(0).reverse())
      await step().catch((error: Error) => process.stderr.write(`${error.stack}\n`))
  }
  try {
    const home = await mkdtemp(path.join(tmpdir(), `switchyard-chaos-${runId}-`))
    // Open to pass through: as root, the database runs as another user, and would be put elsewhere.
    await chmod(home, 0o711)
    const temporary = path.join(home, 'tmp')
    const logs = path.join(home, 'logs')
    const workspaces = path.join(home, 'workspaces')
    for (const directory of [temporary, logs, workspaces]) await mkdir(directory, { recursive: true })

    const model = await startScriptedModel()
    closing.push(model.close)
    const postgres = await startVictimPostgres(path.join(home, 'database'))
    closing.push(postgres.close)
    const valkey = await startValkey(runId)
    closing.push(valkey.close)
    const opencode = await startVictimOpenCode({
      dataDir: path.join(home, 'opencode'),
      home,
      modelUrl: model.url,
      runId,
    })
    closing.push(opencode.close)
    const toOpenCode = await openLine(() => opencode.port)
    closing.push(toOpenCode.close)
    const apiPort = await freePort()
    const toApi = await openLine(() => apiPort)
    closing.push(toApi.close)

    const env = {
      PATH: process.env.PATH ?? '',
      HOME: home,
      TMPDIR: temporary,
      [MARK]: runId,
      DATABASE_URL: postgres.url,
      REDIS_URL: valkey.url,
      SWITCHYARD_HOME: home,
      WORKSPACES_DIR: workspaces,
      OPENCODE_SERVER_URL: `http://127.0.0.1:${toOpenCode.port}`,
      OPENCODE_SERVER_PASSWORD: opencode.password,
      // Connections are cut hundreds of times here: they come back sooner than an operator would want.
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

    /** The application name of its database connections: it shows who wrote what. */
    const named = (url: string, name: string): string => `${url}?application_name=${name}`

    const startWorker: World['startWorker'] = (more = {}) => {
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
    const startApi: World['startApi'] = (more = {}) => {
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
    const startNotifier: World['startNotifier'] = (more) => {
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
    const untilWhole: World['untilWhole'] = async (wanted = WORKERS) => {
      if (!api?.isAlive()) startApi()
      for (let missing = wanted - living().length; missing > 0; missing -= 1) startWorker()
      const ready = Promise.all([apiNow().ready, ...living().map((worker) => worker.ready)])
      if (!(await within(ready, READY_MS))) throw new Error(`api or workers are not ready after ${READY_MS} ms`)
      await until(
        'everything is ready',
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
      toOpenCode,
      toApi,
      clientUrl: `http://127.0.0.1:${toApi.port}`,
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
      untilWhole,
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
