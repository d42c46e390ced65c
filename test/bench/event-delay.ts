// Measures how much later a client sees the end of a tool call on a task's event stream than on
// OpenCode's.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type ScriptStep, script } from '@switchyard/testing'
import pg from 'pg'
import { createCaller } from '../compose/caller.ts'
import { median, percentile, spreadOf } from './figures.ts'
import { release } from './model-log.ts'
import type { Row, Section } from './report.ts'
import { type Postgres, Resources, type SwitchyardSystem, startSwitchyardSystem } from './resources.ts'
import type { ReadOrder, ReadReport } from './stream-readers.ts'

const READERS = [
  { readers: 1, aim: 5 },
  { readers: 200, aim: 10 },
] as const

const READERS_FILE = fileURLToPath(new URL('stream-readers.ts', import.meta.url))

/** Starts the process that reads the streams. Resolves when every stream is open. */
const startReaders = async (order: ReadOrder) => {
  const child = fork(READERS_FILE, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`the readers exited with ${code}`)
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
    /** Resolves after the last event with the delays of every reader and every tool call, ms. */
    delays: async (): Promise<readonly number[]> => {
      const done = await report()
      if (done.kind !== 'done') throw new Error('the readers did not finish')
      return done.readers.flatMap((arrivals) =>
        Object.entries(arrivals).map(([part, at]) => at - (done.opencode[part] ?? Number.NaN)),
      )
    },
  }
}

const measureOnce = async (
  system: SwitchyardSystem,
  readers: number,
  steps: number,
  name: string,
): Promise<readonly number[]> => {
  const caller = createCaller(system.switchyard.url)
  const scriptSteps: ScriptStep[] = [{ hold: name }]
  for (let at = 0; at < steps; at += 1)
    scriptSteps.push({ tool: 'bash', args: { command: `echo ${name} ${at}`, description: `Say ${at}` } })
  const task = await caller.submit({ task_description: `Count. ${script([...scriptSteps, { say: 'Counted.' }])}` })
  const { url, password } = system.opencode
  const reading = await startReaders({
    opencode: { url, password },
    taskUrl: `${system.switchyard.url}/tasks/${task.task_id}`,
    readers,
  })
  try {
    await release(system.model.url, name)
    const delays = await reading.delays()
    if (delays.length !== readers * steps || delays.some(Number.isNaN))
      throw new Error(`${delays.length} completions arrived instead of ${readers * steps}`)
    return delays
  } finally {
    await reading.kill()
  }
}

/** Returns the median of one INSERT, ms. Each event is written durably before a client sees it. */
const bareInsert = async (postgres: Postgres): Promise<number> => {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  try {
    await client.query('CREATE TABLE bench_rows (at int, event text)')
    const durations: number[] = []
    for (let at = 0; at < 200; at += 1) {
      const began = performance.now()
      await client.query('INSERT INTO bench_rows VALUES ($1, $2)', [at, 'x'.repeat(500)])
      durations.push(performance.now() - began)
    }
    return median(durations)
  } finally {
    await client.query('DROP TABLE bench_rows')
    await client.end()
  }
}

export const measureEventDelay = async (postgres: Postgres, quick: boolean): Promise<Section> => {
  await using resources = new Resources()
  const system = await startSwitchyardSystem(resources, postgres, 2)
  const steps = quick ? 10 : 30
  const rounds = quick ? 1 : 4
  for (const { readers } of READERS) await measureOnce(system, readers, 10, `warm-up-${readers}`)
  const byReaders = new Map<number, (readonly number[])[]>(READERS.map(({ readers }) => [readers, []]))
  for (let round = 0; round < rounds; round += 1)
    for (const { readers } of round % 2 === 0 ? READERS : READERS.toReversed())
      byReaders.get(readers)?.push(await measureOnce(system, readers, steps, `round-${round}-${readers}`))
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
    title: '3. Delay of an event on its way to an SSE client',
    explanation: [
      "For each finished tool call: arrival on GET /tasks/{id}/events minus arrival on OpenCode's /global/event, both read",
      `by one process that parses nothing meanwhile. ${steps} tool calls per task, ${rounds} task${rounds === 1 ? '' : 's'}.`,
    ],
    unit: 'ms',
    rows,
    notes: [
      `One INSERT of 500 bytes takes ${(await bareInsert(postgres)).toFixed(2)} ms (each event is written before it is sent).`,
    ],
  }
}
