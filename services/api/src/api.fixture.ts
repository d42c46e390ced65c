// An api on a real database for tests, called with or without a socket.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createLogger, type Logger, loadConfig } from '@switchyard/config'
import { isTerminal, type NewEvent, newWorkerId, type Status, type Task, type TaskId } from '@switchyard/contracts'
import { Repositories } from '@switchyard/git'
import { createBus, TaskQueue } from '@switchyard/queue'
import { type Advanced, advance, type Patch, Records } from '@switchyard/records'
import { type AnsweringCalls, startAnsweringCalls } from '@switchyard/worker-calls'
import { Layout, taskCallHandlers } from '@switchyard/workspace'
import { type Api, createApi } from './app.ts'
import { type Serving, serve } from './http/serve.ts'
import { POOL } from './pool.ts'

type Reply<T> = { readonly status: number; readonly headers: Headers; readonly body: T }

export type TestApi = {
  readonly api: Api
  readonly records: Records
  readonly bus: ReturnType<typeof createBus>
  readonly home: string
  readonly workspacesDir: string
  readonly logger: Logger
  /** Calls the api without a socket. Host is loopback unless `headers` sets it. */
  call<T = Record<string, unknown>>(
    method: string,
    route: string,
    options?: { readonly body?: unknown; readonly headers?: Record<string, string> },
  ): Promise<Reply<T>>
  accept(input?: Record<string, unknown>): Promise<Task>
  /** Writes a change as a worker does, and publishes it on the bus. */
  write(id: TaskId, change: Step): Promise<Advanced>
  listen(): Promise<Serving>
  close(): Promise<void>
}

type Step = {
  readonly to?: Status
  readonly set?: Patch
  readonly events?: readonly NewEvent[]
  /** Does not publish the change on the bus, so that readers detect it only by polling. */
  readonly silently?: boolean
}

export const progress = (message: string): NewEvent => ({ type: 'task_progress', message, data: {} })

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/**
 * Starts an api.
 *
 * @param env - variables that override those of an embedded installation without keys
 * @param onLog - called with each log line
 */
export const startApi = async (
  databaseUrl: string,
  env: Record<string, string> = {},
  onLog?: (line: string) => void,
): Promise<TestApi> => {
  const home = await mkdtemp(path.join(tmpdir(), 'switchyard-api-'))
  const config = loadConfig({ SWITCHYARD_HOME: home, LOG_LEVEL: 'silent', ...env })
  const logger = createLogger(config, 'api', onLog && { write: onLog })
  const records = new Records({ connectionString: databaseUrl, applicationName: 'api-test', ...POOL })
  await records.migrate()
  const queue = new TaskQueue({ postgresUrl: databaseUrl }, logger)
  await queue.ready()
  const bus = createBus(undefined, logger)
  const api = createApi({ config, records, queue, bus, logger })
  const serving: Serving[] = []

  const call: TestApi['call'] = async (method, route, options = {}) => {
    const { body, headers } = options
    const response = await api.app.request(route, {
      method,
      headers: {
        host: 'localhost:3456',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: response.status, headers: response.headers, body: jsonOf(await response.text()) as never }
  }

  return {
    api,
    records,
    bus,
    home,
    logger,
    workspacesDir: config.workspacesDir,
    call,
    async accept(input = {}) {
      const { body } = await call<Task>('POST', '/tasks', { body: { task_description: 'do it', ...input } })
      return body
    },
    async write(id, { silently, ...step }) {
      const set = step.to && isTerminal(step.to) ? { completed_at: new Date(), ...step.set } : step.set
      const written = await advance(records.db, { taskId: id, generation: null, ...step, ...(set ? { set } : {}) })
      if (!written) throw new Error(`the change of ${id} was rejected`)
      if (!silently) bus.publishTask(id, { kind: 'events', events: written.events })
      return written
    },
    async listen() {
      const started = await serve(api.app, { host: '127.0.0.1', port: 0 })
      serving.push(started)
      return started
    },
    async close() {
      await api.close()
      await Promise.all(serving.map((one) => one.close()))
      await bus.close()
      await queue.close()
      await records.close()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** Answers worker calls about working directories, as a worker does. */
export const startTaskCalls = async (
  api: Pick<TestApi, 'records' | 'bus' | 'home' | 'workspacesDir' | 'logger'>,
): Promise<AnsweringCalls> => {
  const { records, bus, logger } = api
  const layout = new Layout(api)
  const repositories = new Repositories({
    mirrorsDir: layout.mirrors,
    sharedDir: layout.sharedClones,
    objectStoresDir: layout.objectStores,
    lock: (_name, work) => work(),
  })
  return await startAnsweringCalls({
    records,
    bus,
    workerId: newWorkerId(),
    targets: ['any'],
    handlers: taskCallHandlers({ records, repositories, layout }),
    logger,
  })
}
