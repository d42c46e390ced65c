// Steering on a real database, with a worker that the test plays.

import { setTimeout as delay } from 'node:timers/promises'
import { type NewEvent, newRequestId, newTaskId, type Status, type TaskId } from '@switchyard/contracts'
import { type Command, createBus } from '@switchyard/queue'
import {
  acceptTask,
  advance,
  findTaskRow,
  openRequest,
  type Patch,
  Records,
  type RequestRow,
  readEvents,
  type TaskRow,
} from '@switchyard/records'
import { createDatabase, ordinaryTask } from '@switchyard/testing'
import { pino } from 'pino'
import type { SteeringDeps, Wait } from './types.ts'

type Step = { readonly to?: Status; readonly set?: Patch; readonly events?: readonly NewEvent[] }

export const startSteering = async () => {
  const database = await createDatabase()
  const records = new Records({ connectionString: database.url, applicationName: 'steering-test' })
  await records.migrate()
  const logger = pino({ level: 'silent' })
  const bus = createBus(undefined, logger)
  const commands: Command[] = []
  const enqueued: TaskId[] = []
  let worker: ((command: Command) => Promise<void>) | undefined
  // Without a worker nothing changes: looking once is as good as waiting for the whole time.
  const wait: Wait = async (_id, { timeoutMs }, look) => {
    const endsAt = Date.now() + timeoutMs
    for (;;) {
      const found = await look()
      if (found !== undefined || !worker || Date.now() > endsAt) return found
      await delay(20)
    }
  }
  await bus.onCommand((command) => {
    commands.push(command)
    void worker?.(command)
  })
  const deps: SteeringDeps = {
    records,
    bus,
    queue: {
      add: async ({ id }) => {
        enqueued.push(id)
      },
    },
    logger,
    wait,
  }

  const read = async (id: TaskId): Promise<TaskRow> => {
    const row = await findTaskRow(records.db, id)
    if (!row) throw new Error(`no task ${id}`)
    return row
  }
  const write = async (id: TaskId, step: Step): Promise<TaskRow> => {
    const written = await advance(records.db, { taskId: id, generation: null, events: [], ...step })
    if (!written) throw new Error(`the change of ${id} was refused`)
    return written.task
  }
  return {
    deps,
    commands,
    enqueued,
    read,
    write,
    /** Runs `act` as the worker, on every command about a task; undefined: no worker reacts. */
    onCommand: (act: ((command: Command) => Promise<void>) | undefined) => {
      worker = act
    },
    /** Accepts a task and takes it through these statuses. */
    task: async (...statuses: readonly Status[]): Promise<TaskRow> => {
      const { row } = await acceptTask(records.db, { ...ordinaryTask(), id: newTaskId() })
      let task = row
      for (const to of statuses) task = await write(row.id, { to })
      return task
    },
    end: async (id: TaskId): Promise<TaskRow> =>
      await write(id, {
        to: 'completed',
        set: { completed_at: new Date() },
        events: [{ type: 'task_completed', message: 'done', data: {} }],
      }),
    request: async (id: TaskId, kind: Partial<Parameters<typeof openRequest>[2]>): Promise<RequestRow> =>
      (
        await openRequest(records.db, id, {
          id: newRequestId(),
          opencode_id: newRequestId(),
          session_id: 'session',
          kind: 'permission',
          title: 'May the agent use bash?',
          permission: 'bash',
          patterns: [],
          always: [],
          questions: [],
          default_reply: 'reject',
          expires_at: new Date(Date.now() + 60_000),
          ...kind,
        })
      ).row,
    /** The events of a task after it was accepted: types with their messages. */
    events: async (id: TaskId): Promise<readonly (readonly [string, string])[]> =>
      (await readEvents(records.db, id, { after: 0, limit: 100 }))
        .filter(({ type }) => type !== 'task_queued')
        .map(({ type, message }) => [type, message]),
    close: async () => {
      await bus.close()
      await records.close()
      await database.drop()
    },
  }
}

export type TestSteering = Awaited<ReturnType<typeof startSteering>>
