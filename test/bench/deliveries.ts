// A thousand tasks that end at once; a dead webhook, a slow one and a slow Matrix server are among those that are told: how long
// the others wait.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { newTaskId, newWebhookId, type TaskId } from '@switchyard/contracts'
import { acceptTask, advance, createDestination, Records } from '@switchyard/records'
import { createDatabase, startWebhookReceiver, type WebhookReceiver, whyNoSynapse } from '@switchyard/testing'
import { startRedis, whyNoRedis } from '../integration/redis.ts'
import type { Backend } from '../integration/system.ts'
import { percentile, spreadOf } from './figures.ts'
import type { Row, Section } from './report.ts'
import { startSlowHomeserver } from './slow-homeserver.ts'
import { type Postgres, Stage } from './stage.ts'

/** Every well destination has all of its notifications by then, s. */
const AIM_S = 10
const WELL = 3
const SLOW_MS = 1_000
const WRITERS = 10
const NOTIFIER = path.resolve(import.meta.dirname, '../../services/notifier/src/main.ts')
const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`

const startNotifier = (
  databaseUrl: string,
  redisUrl: string | undefined,
  matrix: Readonly<Record<string, string>>,
  stage: Stage,
): void => {
  const child = spawn(process.execPath, [NOTIFIER], {
    env: {
      ...matrix,
      DATABASE_URL: databaseUrl,
      ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
      NOTIFIER_PORT: '0',
      LOG_LEVEL: 'error',
      WEBHOOK_SECRET: SECRET,
      WEBHOOK_ALLOW_PRIVATE_TARGETS: 'true',
    },
    stdio: 'inherit',
  })
  stage.onEnd(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
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

const accept = async (records: Records, callbackUrl: string): Promise<TaskId> => {
  const { row } = await acceptTask(records.db, {
    id: newTaskId(),
    agent_id: 'bench',
    owner_key: 'local',
    mode: 'opencode',
    description: 'Find out why the tests fail and fix it. '.repeat(10),
    idempotency_key: null,
    request_hash: 'hash',
    project_id: null,
    base_branch: null,
    branch: null,
    sandbox: null,
    model: null,
    variant: null,
    agent: null,
    permissions: 'allow',
    priority: 5,
    callback_url: callbackUrl,
    timeout_ms: 60_000,
    observers: [],
    metadata: {},
    deadline: new Date(Date.now() + 3_600_000),
    project: null,
  })
  return row.id
}

/** Ends them all; @returns when each was ended, ms. */
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
  const ends = Date.now() + limitMs
  while (new Set(receiver.calls.map((call) => call.id)).size < count) {
    if (Date.now() > ends)
      throw new Error(`${receiver.url} has ${receiver.calls.length} of ${count} after ${limitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

type Setting = { readonly postgres: Postgres; readonly tasks: number; readonly hasMatrix: boolean }

const measureBackend = async (backend: Backend, setting: Setting): Promise<readonly Row[]> => {
  const { postgres, tasks, hasMatrix } = setting
  await using stage = new Stage()
  const database = await createDatabase(postgres.url)
  stage.onEnd(database.drop)
  const redis = backend === 'redis' ? await startRedis() : undefined
  if (redis) stage.onEnd(redis.stop)
  const records = new Records({ connectionString: database.url, applicationName: 'bench', max: WRITERS })
  stage.onEnd(() => records.close())
  await records.migrate()
  const [dead, slow, callbacks] = [
    await stage.keep(startWebhookReceiver()),
    await stage.keep(startWebhookReceiver()),
    await stage.keep(startWebhookReceiver()),
  ]
  dead.answerWith(() => 'hang')
  slow.answerWith(async () => {
    await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
    return 200
  })
  const endpoints = await Promise.all(Array.from({ length: WELL - 1 }, () => stage.keep(startWebhookReceiver())))
  for (const { url } of [dead, slow, ...endpoints]) await addEndpoint(records, url)
  const ids: TaskId[] = []
  for (let n = 0; n < tasks; n += 1) ids.push(await accept(records, `${callbacks.url}/${n}`))
  const matrix = hasMatrix ? await stage.keep(startSlowHomeserver(SLOW_MS)) : undefined
  startNotifier(database.url, redis?.url, matrix?.env ?? {}, stage)
  // It is ready when it has delivered something.
  await endAll(records, [await accept(records, callbacks.url)])
  await hasAll(callbacks, 1, 30_000)
  callbacks.calls.length = 0
  for (const each of endpoints) each.calls.length = 0

  const began = Date.now()
  const endedAt = await endAll(records, ids)
  const written = (Date.now() - began) / 1_000
  const well = [...endpoints, callbacks]
  await Promise.all(well.map((each) => hasAll(each, tasks, 120_000)))
  const last = well.map((each) => (Math.max(...each.calls.map((call) => call.receivedAt)) - began) / 1_000)
  const delays = well.flatMap((each) =>
    each.calls.map((call) => (call.receivedAt - (endedAt.get(call.body.data.task?.task_id ?? '') ?? began)) / 1_000),
  )
  const row = (name: string, ours: number, values: readonly number[], aim?: number): Row => ({
    name: `queue on ${backend}, ${name}`,
    ours,
    spread: spreadOf(values),
    ...(aim === undefined ? {} : { aim }),
  })
  return [
    row('all tasks ended', written, [written]),
    row('the last well destination has everything', Math.max(...last), last, AIM_S),
    row('one notification, p50', percentile(delays, 0.5), delays),
    row('one notification, p99', percentile(delays, 0.99), delays),
  ]
}

export const measureDeliveries = async (postgres: Postgres, quick: boolean): Promise<Section> => {
  const noRedis = await whyNoRedis()
  const noSynapse = await whyNoSynapse()
  const tasks = quick ? 100 : 1_000
  const setting = { postgres, tasks, hasMatrix: noSynapse === undefined }
  const rows = [
    ...(await measureBackend('postgres', setting)),
    ...(noRedis === undefined ? await measureBackend('redis', setting) : []),
  ]
  return {
    title: '5. Notifications when many tasks end at once',
    explanation: [
      `${tasks} tasks are ended by ${WRITERS} writers, and told to a webhook that never answers, one that takes ${SLOW_MS} ms,`,
      ...(setting.hasMatrix ? [`a Matrix server (Synapse) that takes ${SLOW_MS} ms for each message,`] : []),
      `and ${WELL} destinations that are well (two webhooks, and a callback_url of its own for each task). The notifier is a process of`,
      'its own. Times are from the first end, and from each task’s end; the spread is over the well destinations.',
    ],
    unit: 's',
    rows,
    notes: [
      ...(noRedis === undefined ? [] : [`queue on redis: not measured, ${noRedis}`]),
      ...(noSynapse === undefined ? [] : [`without a slow Matrix server: ${noSynapse}`]),
    ],
  }
}
