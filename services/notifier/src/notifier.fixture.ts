// A notifier on a real database for tests, with tasks that are written the way api and worker write them.

import { loadConfig } from '@switchyard/config'
import {
  type Delivery,
  type EventType,
  type NewEvent,
  newRequestId,
  newTaskId,
  newWebhookId,
  type TaskId,
} from '@switchyard/contracts'
import { createBus } from '@switchyard/queue'
import { acceptTask, advance, createDestination, listDeliveries, openRequest, Records } from '@switchyard/records'
import { createDatabase, ordinaryTask, type TestDatabase } from '@switchyard/testing'
import { pino } from 'pino'
import { type Notifier, startNotifier } from './notifier.ts'

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

type TaskOptions = {
  readonly callback_url?: string
  readonly agent_id?: string
  readonly owner_key?: string
  readonly pool?: 'blue'
  readonly description?: string
  readonly observers?: readonly string[]
}
type EndpointOptions = Partial<Parameters<typeof createDestination>[1]> & { readonly url: string }

export const event = (type: EventType, data: Record<string, unknown> = {}): NewEvent => ({ type, message: type, data })

/** @param shared - the database of another test notifier, which drops it. */
export const startTestNotifier = async (env: Readonly<Record<string, string>> = {}, shared?: TestDatabase) => {
  const database = shared ?? (await createDatabase())
  const configOf = (more: Readonly<Record<string, string>>) =>
    loadConfig({
      WEBHOOK_SECRET: SECRET,
      WEBHOOK_ALLOW_PRIVATE_TARGETS: 'true',
      WEBHOOK_TIMEOUT_MS: '500',
      DELIVERY_RETRY_DELAY_MS: '50',
      ...env,
      ...more,
    })
  const records = new Records({ connectionString: database.url, applicationName: 'notifier-test', max: 20 })
  await records.migrate()
  const connection = { postgresUrl: database.url }
  const logger = pino({ level: 'silent' })
  const bus = createBus(undefined, logger)
  let notifier: Notifier | undefined

  const start = async (more: Readonly<Record<string, string>> = {}) => {
    const config = configOf(more)
    notifier = await startNotifier({ config, records, connection, bus, logger })
  }
  return {
    database,
    records,
    bus,
    start: () => start(),
    stop: async () => {
      await notifier?.close()
      notifier = undefined
    },
    /** Replaces the notifier by one with other settings. */
    restart: async (more: Readonly<Record<string, string>>) => {
      await notifier?.close()
      await start(more)
    },
    accept: async (options: TaskOptions = {}): Promise<TaskId> => {
      const { row } = await acceptTask(records.db, { ...ordinaryTask(), id: newTaskId(), ...options })
      return row.id
    },
    addEvents: async (taskId: TaskId, ...events: NewEvent[]): Promise<void> => {
      if (!(await advance(records.db, { taskId, generation: null, events }))) throw new Error('the task has ended')
    },
    /** Opens a permission request as the worker does. */
    openRequest: async (taskId: TaskId) => {
      const { row } = await openRequest(records.db, taskId, {
        id: newRequestId(),
        opencode_id: 'request',
        session_id: 'session',
        kind: 'permission',
        title: 'May the agent use bash?',
        permission: 'bash',
        patterns: [],
        always: [],
        questions: [],
        default_reply: 'reject',
        expires_at: new Date(Date.now() + 60_000),
      })
      for (const to of ['preparing', 'running', 'input_required'] as const)
        await advance(records.db, {
          taskId,
          generation: null,
          to,
          events: to === 'input_required' ? [event('task_input_required', { request_id: row.id })] : [],
        })
      return row
    },
    cancel: async (taskId: TaskId): Promise<void> => {
      await advance(records.db, {
        taskId,
        generation: null,
        to: 'cancelled',
        set: { completed_at: new Date() },
        events: [event('task_cancelled')],
      })
    },
    addEndpoint: async (options: EndpointOptions): Promise<string> => {
      const { id } = await createDestination(records.db, {
        id: newWebhookId(),
        owner_key: 'local',
        sees_all: true,
        description: null,
        event_types: ['task_started', 'task_cancelled'],
        agent_id: null,
        project_id: null,
        progress_interval_ms: 30_000,
        escalation: false,
        secret: SECRET,
        ...options,
      })
      return id
    },
    deliveries: async (filter: Parameters<typeof listDeliveries>[1] = {}): Promise<readonly Delivery[]> =>
      (await listDeliveries(records.db, filter, { limit: 1_000, before: null })).deliveries.toReversed(),
    close: async () => {
      await notifier?.close()
      await records.close()
      if (!shared) await database.drop()
    },
  }
}

export type TestNotifier = Awaited<ReturnType<typeof startTestNotifier>>
