// Measures the wall time of fifty tasks of three steps, against fifty equal sessions through
// OpenCode's SDK.

import path from 'node:path'
import { script } from '@switchyard/testing'
import { createCaller } from '../compose/caller.ts'
import { type BareSdk, openBareSdk } from './bare-sdk.ts'
import { interleave, median, spreadOf } from './figures.ts'
import type { Section } from './report.ts'
import { makeScratch } from './repositories.ts'
import { type Postgres, Resources, startBareSystem, startSwitchyardSystem } from './resources.ts'

const AIM = 1.05
const CONCURRENCY = 8
const WARM_UP = 4

const promptOf = (name: string): string =>
  `Do it, ${name}. ${script([
    { tool: 'write', args: { filePath: '{{directory}}/note.txt', content: `${name}\n` } },
    { tool: 'bash', args: { command: 'cat note.txt', description: 'Look at it' } },
    { say: 'Done as asked.' },
  ])}`

const names = (label: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${label}-${at}`)

const seconds = async (work: () => Promise<void>): Promise<number> => {
  const began = performance.now()
  await work()
  return (performance.now() - began) / 1_000
}

const runOurs = async (postgres: Postgres, tasks: number): Promise<number> => {
  await using resources = new Resources()
  const { switchyard } = await startSwitchyardSystem(resources, postgres, CONCURRENCY)
  const caller = createCaller(switchyard.url)
  const runAll = async (all: readonly string[]): Promise<void> => {
    await Promise.all(
      all.map(async (name) => {
        const { task_id } = await caller.submit({ task_description: promptOf(name) })
        const task = await caller.ended(task_id, 10 * 60_000)
        if (task.status !== 'completed') throw new Error(`${name} ended as ${task.status}: ${task.error?.message}`)
      }),
    )
  }
  await runAll(names('warm', WARM_UP))
  return await seconds(() => runAll(names('task', tasks)))
}

const runBare = async (tasks: number): Promise<number> => {
  await using resources = new Resources()
  const { opencode } = await startBareSystem(resources)
  const root = await resources.directory('sessions')
  const sdk: BareSdk = await resources.add(openBareSdk(opencode, false))
  const runAll = async (all: readonly string[]): Promise<void> => {
    const left = [...all]
    const runNext = async () => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        const directory = path.join(root, name)
        await sdk.ended(await sdk.prompt(directory, promptOf(name)), directory)
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, runNext))
  }
  const warm = names('warm', WARM_UP)
  const all = names('task', tasks)
  for (const name of [...warm, ...all]) await makeScratch(path.join(root, name))
  await runAll(warm)
  return await seconds(() => runAll(all))
}

export const measureWallTime = async (postgres: Postgres, quick: boolean): Promise<Section> => {
  const tasks = quick ? 10 : 50
  const rounds = await interleave(
    quick ? 1 : 3,
    () => runOurs(postgres, tasks),
    () => runBare(tasks),
  )
  return {
    title: `4. Wall time of ${tasks} tasks of three steps (write, bash, say), ${CONCURRENCY} at once`,
    explanation: [
      `Switchyard: ${tasks} × POST /tasks at once, then GET /tasks/{id}?wait_ms until each has ended, including scratch directories,`,
      'records, events and diffs.',
      `bare: ${CONCURRENCY} loops of session create, prompt_async, wait for session.idle on one event stream, read the messages; git`,
      'directories exist before. Each side gets a new OpenCode server in each round, after 4 tasks to warm it up.',
    ],
    unit: 's',
    rows: [
      {
        name: 'wall time',
        ours: median(rounds.map((round) => round.ours)),
        bare: median(rounds.map((round) => round.bare)),
        spread: spreadOf(rounds.map((round) => round.ours / round.bare)),
        aim: AIM,
      },
    ],
    notes: [
      `Rounds: ${rounds.map((round) => `${round.ours.toFixed(1)} s against ${round.bare.toFixed(1)} s`).join(', ')}.`,
    ],
  }
}
