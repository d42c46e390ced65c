// How long it takes, in Docker mode, from handing over a task until its container runs.

import { setTimeout as delay } from 'node:timers/promises'
import { type Caller, createCaller } from '../compose/caller.ts'
import { docker } from '../compose/docker.ts'
import { whyNoContainers } from '../integration/docker-system.ts'
import { percentile, spreadOf } from './figures.ts'
import { startProgram } from './program.ts'
import type { Section } from './report.ts'
import { type Postgres, Stage } from './stage.ts'

const AIM_MS = 400
const WAIT_MS = 60_000

/** When the engine says that the container of a task has started, ms since 1970. */
const startOf = async (taskId: string): Promise<number> => {
  const label = `label=switchyard.task=${taskId}`
  for (const until = Date.now() + WAIT_MS; Date.now() < until; await delay(50)) {
    const id = (await docker(['ps', '--quiet', '--filter', label])).trim()
    if (id !== '') return Date.parse((await docker(['inspect', '--format', '{{.State.StartedAt}}', id])).trim())
  }
  throw new Error(`${taskId} has no running container after ${WAIT_MS} ms`)
}

/** One task: handed over, running, cancelled. @returns ms from before the call to the container's start */
const measureOne = async (caller: Caller): Promise<number> => {
  const began = Date.now()
  const { task_id } = await caller.submit({ task_description: 'Wait.' })
  const took = (await startOf(task_id)) - began
  await caller.post(`/tasks/${task_id}/control`, { control: 'cancel' })
  await caller.ended(task_id)
  return took
}

export const measureContainerStart = async (postgres: Postgres, quick: boolean): Promise<Section> => {
  const title = '5. From enqueue to a running container (Docker mode)'
  const explanation = [
    'Switchyard: from before POST /tasks until the engine’s own time of the container’s start; a scratch repository, the image present.',
  ]
  const missing = await whyNoContainers()
  if (missing) return { title, explanation, unit: 'ms', rows: [], notes: [`not measured: ${missing}`] }
  await using stage = new Stage()
  const home = await stage.directory('home')
  const switchyard = await stage.keep(
    startProgram('services/embedded/src/main.ts', [], {
      HOME: home,
      PORT: '0',
      SWITCHYARD_HOME: home,
      DATABASE_URL: await stage.database(postgres),
      OPENCODE_SERVER_ENABLED: 'false',
    }),
  )
  const caller = createCaller(switchyard.url)
  // The first one makes the network and the way out of it.
  await measureOne(caller)
  const times: number[] = []
  for (let round = 0; round < (quick ? 5 : 40); round += 1) times.push(await measureOne(caller))
  const row = (name: string, share: number) => ({ name, ours: percentile(times, share), spread: spreadOf(times) })
  return { title, explanation, unit: 'ms', rows: [row('p50', 0.5), { ...row('p95', 0.95), aim: AIM_MS }] }
}
