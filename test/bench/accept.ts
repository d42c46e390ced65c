// Measures how long a caller waits until a task is accepted, against the two writes that are the
// minimum.

import { newTaskId } from '@switchyard/contracts'
import { TaskQueue } from '@switchyard/queue'
import { createDatabase, startRedis, whyNoRedis } from '@switchyard/testing'
import pg from 'pg'
import { pino } from 'pino'
import type { Backend } from '../integration/system.ts'
import { interleave, percentile, spreadOf } from './figures.ts'
import { openConnection } from './http-connection.ts'
import { type Load, measureCalls } from './load.ts'
import { startProgram } from './program.ts'
import type { Row, Section } from './report.ts'
import { type Postgres, Resources } from './resources.ts'

const AIM = 2
/** The size of the api's connection pool. */
const CONNECTIONS = 20
const DESCRIPTION = 'Find out why the tests fail and fix it. '.repeat(10)

const INSERT = `
  INSERT INTO tasks (id, agent_id, owner_key, status, mode, description, request_hash, permissions, priority, observers,
    metadata, timeout_ms, deadline, last_seq)
  VALUES ($1, 'bench', 'local', 'queued', 'opencode', $2, $3, 'allow', 5, '[]', '{}', 1800000, $4, 1)
  RETURNING *`

type Side = (load: Load) => Promise<readonly number[]>

const openApi = async (
  resources: Resources,
  databaseUrl: string,
  redisUrl: string | undefined,
  most: number,
): Promise<Side> => {
  const home = await resources.directory('api')
  const api = await resources.add(
    startProgram('services/api/src/main.ts', [], {
      HOME: home,
      PORT: '0',
      SWITCHYARD_HOME: home,
      DATABASE_URL: databaseUrl,
      // No worker runs, so every submitted task stays in the queue.
      MAX_QUEUED_TASKS: '1000000',
      ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    }),
  )
  const connections = await Promise.all(Array.from({ length: most }, () => openConnection(api.url)))
  resources.onClose(async () => connections.map((connection) => connection.close()))
  const body = JSON.stringify({ task_description: DESCRIPTION, agent_id: 'bench' })
  return (load) =>
    measureCalls(load, async (caller) => {
      const answer = await connections[caller]?.post('/tasks', body)
      if (answer?.status !== 202) throw new Error(`POST /tasks: ${answer?.status} ${answer?.body}`)
    })
}

const openBare = async (resources: Resources, databaseUrl: string, redisUrl: string | undefined): Promise<Side> => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: CONNECTIONS })
  resources.onClose(() => pool.end())
  const queue = new TaskQueue(
    redisUrl === undefined ? { postgresUrl: databaseUrl } : { redisUrl },
    pino({ level: 'silent' }),
  )
  resources.onClose(() => queue.close())
  await queue.ready()
  return (load) =>
    measureCalls(load, async () => {
      const id = newTaskId()
      await pool.query(INSERT, [id, DESCRIPTION, 'hash', new Date(Date.now() + 86_400_000)])
      await queue.add({ id, priority: 5, generation: 0, mode: 'opencode', pool: 'blue' })
    })
}

type Plan = { readonly rounds: number; readonly calls: number }

const rowsOf = async (name: string, ours: Side, bare: Side, callers: number, plan: Plan): Promise<readonly Row[]> => {
  const load = { callers, calls: plan.calls }
  const rounds = await interleave(
    plan.rounds,
    () => ours(load),
    () => bare(load),
  )
  const row = (label: string, share: number, aim?: number): Row => ({
    name: `${name}, ${callers} caller${callers === 1 ? '' : 's'}, ${label}`,
    ours: percentile(
      rounds.flatMap((round) => round.ours),
      share,
    ),
    bare: percentile(
      rounds.flatMap((round) => round.bare),
      share,
    ),
    spread: spreadOf(rounds.map((round) => percentile(round.ours, share) / percentile(round.bare, share))),
    ...(aim === undefined ? {} : { aim }),
  })
  return [row('p50', 0.5, AIM), row('p99', 0.99, AIM)]
}

const measureBackend = async (postgres: Postgres, backend: Backend, quick: boolean): Promise<readonly Row[]> => {
  await using resources = new Resources()
  const database = await createDatabase({ server: postgres.url })
  resources.onClose(database.drop)
  const redis = backend === 'redis' ? await startRedis() : undefined
  if (redis) resources.onClose(redis.stop)
  // Start the api first, because it creates the tables.
  const ours = await openApi(resources, database.url, redis?.url, 50)
  const bare = await openBare(resources, database.url, redis?.url)
  for (const side of [ours, bare, ours, bare]) await side({ callers: 50, calls: quick ? 200 : 1_500 })
  const name = `queue on ${backend}`
  const alone = await rowsOf(name, ours, bare, 1, { rounds: quick ? 2 : 10, calls: quick ? 50 : 200 })
  const many = await rowsOf(name, ours, bare, 50, { rounds: quick ? 2 : 10, calls: quick ? 300 : 1_000 })
  return [...alone, ...many]
}

export const measureAccept = async (postgres: Postgres, quick: boolean): Promise<Section> => {
  const noRedis = await whyNoRedis()
  const rows = [
    ...(await measureBackend(postgres, 'postgres', quick)),
    ...(noRedis === undefined ? await measureBackend(postgres, 'redis', quick) : []),
  ]
  return {
    title: '1. Time to accept a task',
    explanation: [
      'Switchyard: POST /tasks over keep-alive connections to the api in a separate process; no worker runs.',
      "bare: the same row with one INSERT through pg, then BullMQ's queue.add, in the process of the benchmark.",
    ],
    unit: 'ms',
    rows,
    notes: noRedis === undefined ? [] : [`queue on redis: not measured, ${noRedis}`],
  }
}
