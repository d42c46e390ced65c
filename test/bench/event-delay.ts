// How much later a reader of a task's event stream sees a tool's completion than a reader of OpenCode's own stream.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type ScriptStep, script } from '@switchyard/testing'
import pg from 'pg'
import { createCaller } from '../compose/caller.ts'
import { median, percentile, spreadOf } from './figures.ts'
import { release } from './model-log.ts'
import type { Row, Section } from './report.ts'
import { openWhole, type Postgres, Stage, type Whole } from './stage.ts'
import type { ReadOrder, ReadReport } from './stream-readers.ts'

const READERS = [
  { readers: 1, aim: 5 },
  { readers: 200, aim: 10 },
] as const

const READERS_FILE = fileURLToPath(new URL('stream-readers.ts', import.meta.url))

/** Starts the process that reads. Everything it was to read is there when `delays` resolves. */
const startReaders = async (order: ReadOrder) => {
  const child = fork(READERS_FILE, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`the readers ended with ${code}`)
  })
  failed.catch(() => {})
  const report = async (): Promise<ReadReport> => (await Promise.race([once(child, 'message'), failed]))[0]
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  child.send(order)
  await report()
  return {
    kill,
    /** ms, one for every reader and every completion. */
    delays: async (): Promise<readonly number[]> => {
      const done = await report()
      if (done.kind !== 'done') throw new Error('the readers did not finish')
      return done.readers.flatMap((arrivals) =>
        Object.entries(arrivals).map(([part, at]) => at - (done.opencode[part] ?? Number.NaN)),
      )
    },
  }
}

const measureOnce = async (whole: Whole, readers: number, steps: number, name: string): Promise<readonly number[]> => {
  const caller = createCaller(whole.switchyard.url)
  const play: ScriptStep[] = [{ hold: name }]
  for (let at = 0; at < steps; at += 1)
    play.push({ tool: 'bash', args: { command: `echo ${name} ${at}`, description: `Say ${at}` } })
  const task = await caller.submit({ task_description: `Count. ${script([...play, { say: 'Counted.' }])}` })
  const { url, password } = whole.opencode
  const reading = await startReaders({
    opencode: { url, password },
    taskUrl: `${whole.switchyard.url}/tasks/${task.task_id}`,
    readers,
  })
  try {
    await release(whole.model.url, name)
    const delays = await reading.delays()
    if (delays.length !== readers * steps || delays.some(Number.isNaN))
      throw new Error(`${delays.length} completions came instead of ${readers * steps}`)
    return delays
  } finally {
    await reading.kill()
  }
}

/** ms of one durable row, written alone: an event is in the record before a reader sees it. */
const bareInsert = async (postgres: Postgres): Promise<number> => {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  try {
    await client.query('CREATE TABLE bench_rows (at int, event text)')
    const taken: number[] = []
    for (let at = 0; at < 200; at += 1) {
      const began = performance.now()
      await client.query('INSERT INTO bench_rows VALUES ($1, $2)', [at, 'x'.repeat(500)])
      taken.push(performance.now() - began)
    }
    return median(taken)
  } finally {
    await client.query('DROP TABLE bench_rows')
    await client.end()
  }
}

export const measureEventDelay = async (postgres: Postgres, quick: boolean): Promise<Section> => {
  await using stage = new Stage()
  const whole = await openWhole(stage, postgres, 2)
  const steps = quick ? 10 : 30
  const rounds = quick ? 1 : 4
  for (const { readers } of READERS) await measureOnce(whole, readers, 10, `warm-up-${readers}`)
  const byReaders = new Map<number, (readonly number[])[]>(READERS.map(({ readers }) => [readers, []]))
  for (let round = 0; round < rounds; round += 1)
    for (const { readers } of round % 2 === 0 ? READERS : READERS.toReversed())
      byReaders.get(readers)?.push(await measureOnce(whole, readers, steps, `round-${round}-${readers}`))
  const rows = READERS.flatMap(({ readers, aim }): readonly Row[] => {
    const delays = byReaders.get(readers) ?? []
    const row = (label: string, share: number, most?: number): Row => ({
      name: `${readers} reader${readers === 1 ? '' : 's'}, ${label}`,
      ours: percentile(delays.flat(), share),
      spread: spreadOf(delays.map((round) => percentile(round, share))),
      ...(most === undefined ? {} : { aim: most }),
    })
    return [row('p50', 0.5, aim), row('p95', 0.95)]
  })
  return {
    title: '3. Delay that an event gains on its way to an SSE client',
    explanation: [
      'For each completion of a tool: arrival on GET /tasks/{id}/events minus arrival on OpenCode’s /global/event, both read',
      `by the same process, which parses nothing meanwhile. ${steps} completions a task, ${rounds} task${rounds === 1 ? '' : 's'}.`,
    ],
    unit: 'ms',
    rows,
    notes: [
      `One bare INSERT of 500 bytes, alone: ${(await bareInsert(postgres)).toFixed(2)} ms (each event is durable first).`,
    ],
  }
}
