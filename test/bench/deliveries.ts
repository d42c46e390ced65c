// Measures notifications when a thousand tasks end at once and some destinations are dead or slow:
// the delay of the healthy destinations, and the cost of a SIGKILL of the notifier.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { newTaskId, newWebhookId, type TaskId } from '@switchyard/contracts'
import { acceptTask, advance, createDestination, Records } from '@switchyard/records'
import {
  createDatabase,
  ordinaryTask,
  startRedis,
  startWebhookReceiver,
  type WebhookReceiver,
  whyNoRedis,
} from '@switchyard/testing'
import type { Backend } from '../integration/system.ts'
import { percentile, spreadOf } from './figures.ts'
import type { Row, Section } from './report.ts'
import { type Postgres, Resources } from './resources.ts'
import { SLOW_DESTINATIONS, startSlowDestinations } from './slow-destinations.ts'

/** Target: every healthy destination has all of its notifications within this time, s. */
const AIM_S = 10
const HEALTHY = 3
const WRITERS = 10
const NOTIFIER = path.resolve(import.meta.dirname, '../../services/notifier/src/main.ts')
const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`

type Notifier = { readonly kill: () => Promise<void> }

const startNotifier = (env: Readonly<Record<string, string>>, resources: Resources): Notifier => {
  const child = spawn(process.execPath, [NOTIFIER], {
    env: {
      ...env,
      NOTIFIER_PORT: '0',
      LOG_LEVEL: 'error',
      WEBHOOK_SECRET: SECRET,
      WEBHOOK_ALLOW_PRIVATE_TARGETS: 'true',
    },
    stdio: 'inherit',
  })
  const kill = async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  resources.onClose(kill)
  return { kill }
}

const addEndpoint = async (records: Records, url: string): Promise<void> => {
  await createDestination(records.db, {
    id: newWebhookId(),
    owner_key: 'local',
    sees_all: true,
    url,
    description: null,
    event_types: ['task_cancelled'],
    agent_id: null,
    project_id: null,
    progress_interval_ms: 30_000,
    escalation: false,
    secret: SECRET,
  })
}

const accept = async (records: Records, callbackUrl: string, agentId = 'bench'): Promise<TaskId> => {
  const { row } = await acceptTask(records.db, {
    ...ordinaryTask(),
    id: newTaskId(),
    agent_id: agentId,
    description: 'Find out why the tests fail and fix it. '.repeat(10),
    callback_url: callbackUrl,
  })
  return row.id
}

/** Ends all tasks. Returns when each one ended, ms since the epoch. */
const endAll = async (records: Records, ids: readonly TaskId[]): Promise<ReadonlyMap<string, number>> => {
  const endedAt = new Map<string, number>()
  const waiting = [...ids]
  const write = async () => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const events = [{ type: 'task_cancelled', message: 'cancelled', data: {} }] as const
      await advance(records.db, {
        taskId: id,
        generation: null,
        to: 'cancelled',
        set: { completed_at: new Date() },
        events,
      })
      endedAt.set(id, Date.now())
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, write))
  return endedAt
}

const hasAll = async (receiver: WebhookReceiver, count: number, limitMs: number): Promise<void> => {
  const limit = Date.now() + limitMs
  while (new Set(receiver.calls.map((call) => call.id)).size < count) {
    if (Date.now() > limit)
      throw new Error(`${receiver.url} received ${receiver.calls.length} of ${count} calls in ${limitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

type Run = {
  readonly backend: Backend
  readonly tasks: number
  /** Whether to kill the notifier after a third of the notifications, and start another one. */
  readonly isKilled: boolean
}

type Measured = { readonly rows: readonly Row[]; readonly notes: readonly string[] }

const measureRun = async (postgres: Postgres, { backend, tasks, isKilled }: Run): Promise<Measured> => {
  await using resources = new Resources()
  const database = await createDatabase({ server: postgres.url })
  resources.onClose(database.drop)
  const redis = backend === 'redis' ? await startRedis() : undefined
  if (redis) resources.onClose(redis.stop)
  const records = new Records({ connectionString: database.url, applicationName: 'bench', max: WRITERS })
  resources.onClose(() => records.close())
  await records.migrate()
  const dead = await resources.add(startWebhookReceiver())
  dead.answerWith(() => 'hang')
  const slow = await startSlowDestinations(resources)
  const callbacks = await resources.add(startWebhookReceiver())
  const endpoints = await Promise.all(Array.from({ length: HEALTHY - 1 }, () => resources.add(startWebhookReceiver())))
  for (const url of [dead.url, ...slow.endpoints, ...endpoints.map((each) => each.url)]) await addEndpoint(records, url)
  const env = { DATABASE_URL: database.url, ...(redis ? { REDIS_URL: redis.url } : {}), ...slow.env }
  const notifier = startNotifier(env, resources)
  const healthy = [...endpoints, callbacks]
  // The notifier is ready when it has delivered to every healthy destination.
  await endAll(records, [await accept(records, callbacks.url)])
  await Promise.all(healthy.map((each) => hasAll(each, 1, 30_000)))
  for (const each of healthy) each.calls.length = 0
  const ids: TaskId[] = []
  for (let n = 0; n < tasks; n += 1) ids.push(await accept(records, `${callbacks.url}/${n}`, slow.agentOf(n)))

  const began = Date.now()
  const killing = isKilled
    ? hasAll(callbacks, Math.ceil(tasks / 3), 120_000).then(async () => {
        await notifier.kill()
        startNotifier(env, resources)
      })
    : Promise.resolve()
  const endedAt = await endAll(records, ids)
  const written = (Date.now() - began) / 1_000
  await Promise.all([killing, ...healthy.map((each) => hasAll(each, tasks, 120_000))])
  const firsts = healthy.map((each) => [...new Map(each.calls.toReversed().map((call) => [call.id, call])).values()])
  const last = firsts.map((calls) => (Math.max(...calls.map((call) => call.receivedAt)) - began) / 1_000)
  const delays = firsts.flatMap((calls) =>
    calls.map((call) => (call.receivedAt - (endedAt.get(call.body.data.task?.task_id ?? '') ?? began)) / 1_000),
  )
  const row = (name: string, ours: number, values: readonly number[], aim?: number): Row => ({
    name: `queue on ${backend}, ${isKilled ? 'killed once, ' : ''}${name}`,
    ours,
    spread: spreadOf(values),
    ...(aim === undefined ? {} : { aim }),
  })
  const complete = row('last healthy destination complete', Math.max(...last), last, isKilled ? undefined : AIM_S)
  const calls = healthy.reduce((sum, each) => sum + each.calls.length, 0)
  const notifiedTasks = firsts.map((some) => new Set(some.map((call) => call.body.data.task?.task_id)).size)
  return {
    rows: isKilled
      ? [complete]
      : [
          row('all tasks ended', written, [written]),
          complete,
          row('one notification, p50', percentile(delays, 0.5), delays),
          row('one notification, p99', percentile(delays, 0.99), delays),
        ],
    notes: [
      `queue on ${backend}${isKilled ? ', killed once' : ''}: the ${HEALTHY} healthy destinations were notified of ${notifiedTasks.join(', ')} of ${tasks} tasks;` +
        ` ${firsts.reduce((sum, some) => sum + some.length, 0)} ids in ${calls} calls`,
    ],
  }
}

export const measureDeliveries = async (postgres: Postgres, quick: boolean): Promise<Section> => {
  const noRedis = await whyNoRedis()
  const tasks = quick ? 100 : 1_000
  const backends: readonly Backend[] = noRedis === undefined ? ['postgres', 'redis'] : ['postgres']
  const measured: Measured[] = []
  for (const backend of backends)
    for (const isKilled of [false, true]) measured.push(await measureRun(postgres, { backend, tasks, isKilled }))
  return {
    title: '5. Notifications when many tasks end at once',
    explanation: [
      `${WRITERS} writers end ${tasks} tasks. Each is sent to a webhook that never answers, ${SLOW_DESTINATIONS},`,
      `and ${HEALTHY} healthy destinations (two webhooks, and a callback_url per task). The notifier is a separate process.`,
      "Times are from the end of the first task and from each task's own end; the spread is over the healthy destinations.",
      'Then the same with a SIGKILL of the notifier after a third: calls without a recorded answer are repeated under their id.',
    ],
    unit: 's',
    rows: measured.flatMap(({ rows }) => rows),
    notes: [
      ...measured.flatMap(({ notes }) => notes),
      ...(noRedis === undefined ? [] : [`queue on redis: not measured, ${noRedis}`]),
    ],
  }
}
