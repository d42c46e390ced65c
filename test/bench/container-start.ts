// Measures the time from submitting a task to its running container in Docker mode.

import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { newTaskId } from '@switchyard/contracts'
import { connectEngine, Runner } from '@switchyard/docker'
import { pino } from 'pino'
import { type Caller, createCaller } from '../compose/caller.ts'
import { docker } from '../compose/docker.ts'
import { IMAGE, whyNoContainers } from '../integration/docker-system.ts'
import { interleave, percentile, spreadOf } from './figures.ts'
import { startProgram } from './program.ts'
import type { Section } from './report.ts'
import { type Postgres, Resources } from './resources.ts'

const AIM_MS = 400
const WAIT_MS = 60_000

/** Returns when the engine started the container of a task, ms since the epoch. */
const startOf = async (taskId: string): Promise<number> => {
  const label = `label=switchyard.task=${taskId}`
  for (const until = Date.now() + WAIT_MS; Date.now() < until; await delay(50)) {
    const id = (await docker(['ps', '--quiet', '--filter', label])).trim()
    if (id !== '') return Date.parse((await docker(['inspect', '--format', '{{.State.StartedAt}}', id])).trim())
  }
  throw new Error(`${taskId} has no running container after ${WAIT_MS} ms`)
}

/**
 * Submits a task, waits for its container and cancels it. Returns ms from before the call to the
 * container's start.
 */
const measureOne = async (caller: Caller): Promise<number> => {
  const began = Date.now()
  const { task_id } = await caller.submit({ task_description: 'Wait.' })
  const took = (await startOf(task_id)) - began
  await caller.post(`/tasks/${task_id}/control`, { control: 'cancel' })
  await caller.ended(task_id)
  return took
}

/**
 * Prepares the measurement without Switchyard: the same container in a separate network.
 *
 * @returns a function that measures ms from before the call to the container's start
 */
const openBare = async (resources: Resources): Promise<() => Promise<number>> => {
  const root = await resources.directory('bare')
  const network = `switchyard-bench-${randomBytes(4).toString('hex')}`
  await docker(['network', 'create', '--internal', network])
  resources.onClose(() => docker(['network', 'rm', network]))
  const runner = new Runner({
    engine: connectEngine('unix:///var/run/docker.sock'),
    settings: {
      stack: network,
      image: IMAGE,
      cpus: 2,
      memoryBytes: 2_147_483_648,
      pids: 512,
      user: '1000:1000',
      environment: {},
    },
    runnerNetwork: { network, proxy: 'http://egress:3128' },
    exclusively: (work) => work(),
    workerId: 'bench',
    liveWorkers: async () => new Set(),
    namespaces: 0,
    egress: { image: IMAGE, allow: [], deny: [] },
    logger: pino({ level: 'silent' }),
  })
  return async () => {
    const taskId = newTaskId()
    const began = Date.now()
    const id = await runner.start({
      taskId,
      generation: 1,
      promptId: 'bench',
      root,
      directory: root,
      home: root,
      promptFile: root,
      args: [],
    })
    const started = Date.parse((await docker(['inspect', '--format', '{{.State.StartedAt}}', id])).trim())
    await runner.remove(id)
    return started - began
  }
}

export const measureContainerStart = async (postgres: Postgres, quick: boolean): Promise<Section> => {
  const title = '5. From enqueue to a running container (Docker mode)'
  const explanation = [
    'Switchyard: from before POST /tasks to the start time of the container in the engine; scratch repository, image present.',
    'bare: the same container created and started with dockerode, without a task.',
  ]
  const missing = await whyNoContainers()
  if (missing) return { title, explanation, unit: 'ms', rows: [], notes: [`not measured: ${missing}`] }
  await using resources = new Resources()
  const home = await resources.directory('home')
  const switchyard = await resources.add(
    startProgram('services/embedded/src/main.ts', [], {
      HOME: home,
      PORT: '0',
      SWITCHYARD_HOME: home,
      DATABASE_URL: await resources.database(postgres),
      OPENCODE_SERVER_ENABLED: 'false',
    }),
  )
  const caller = createCaller(switchyard.url)
  // The first one creates the network and the egress proxy.
  await measureOne(caller)
  const bare = await openBare(resources)
  const rounds = await interleave(
    quick ? 5 : 40,
    () => measureOne(caller),
    () => bare(),
  )
  const times = rounds.map((round) => round.ours)
  const alone = rounds.map((round) => round.bare)
  const row = (name: string, values: readonly number[], share: number) => ({
    name,
    ours: percentile(values, share),
    spread: spreadOf(values),
  })
  return {
    title,
    explanation,
    unit: 'ms',
    rows: [
      row('p50', times, 0.5),
      { ...row('p95', times, 0.95), aim: AIM_MS },
      row('bare, p50', alone, 0.5),
      row('bare, p95', alone, 0.95),
    ],
  }
}
