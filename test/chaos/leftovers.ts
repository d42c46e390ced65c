// What must not be left when the work is done: open tasks, locks, temporary files, processes.

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { markedProcesses } from './processes.ts'
import { until } from './wait.ts'
import type { World } from './world.ts'

const OPEN = ['queued', 'preparing', 'running', 'input_required', 'paused']
const PATIENCE_MS = 10_000

const settled = async (what: string, look: () => Promise<readonly string[]>): Promise<readonly string[]> => {
  let left: readonly string[] = []
  const isEmpty = async (): Promise<boolean> => {
    left = await look()
    return left.length === 0
  }
  return await until(what, isEmpty, PATIENCE_MS, 250).then(
    () => [],
    () => left.map((name) => `${what}: ${name}`),
  )
}

/** While everything still runs: what the record, the locks and the directories say. */
export const leftAtWork = async (world: World): Promise<readonly string[]> => {
  const { postgres } = world
  const open = await settled('open task', async () =>
    (
      await postgres.query<{ id: string; status: string }>('SELECT id, status FROM tasks WHERE status = ANY ($1)', [
        OPEN,
      ])
    ).map((task) => `${task.id} is ${task.status}`),
  )
  const locks = await settled('advisory lock', async () =>
    (await postgres.query<{ pid: number }>("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")).map(
      (lock) => `held by connection ${lock.pid}`,
    ),
  )
  const tasks = new Set((await postgres.query<{ id: string }>('SELECT id FROM tasks')).map((task) => task.id))
  const directories = await settled('directory of no task', async () =>
    (await readdir(path.join(world.workspaces, 'tasks')).catch(() => [])).filter((name) => !tasks.has(name)),
  )
  const temporary = await settled('temporary file', () => readdir(world.temporary))
  const tools = await settled('tool process', async () =>
    (await markedProcesses(world.runId))
      .filter((found) => /\bsleep\b/.test(found.command))
      .map((found) => `${found.pid} ${found.command}`),
  )
  return [...open, ...locks, ...directories, ...temporary, ...tools]
}

/** After api and workers ended: nobody is signed in. */
export const leftSignedIn = async (world: World): Promise<readonly string[]> =>
  (
    await world.postgres.query<{ id: string }>(
      "SELECT id FROM workers WHERE heartbeat_at > now() - interval '2 seconds'",
    )
  ).map((worker) => `worker ${worker.id} did not sign off`)

/** After everything ended: processes of this run. */
export const leftRunning = async (runId: string): Promise<readonly string[]> =>
  await settled('process', async () => (await markedProcesses(runId)).map((found) => `${found.pid} ${found.command}`))
