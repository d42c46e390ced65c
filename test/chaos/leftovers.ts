// Finds what a scenario must not leave behind: open tasks, locks, temporary files and processes.

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { findProcesses } from './processes.ts'
import type { TestSystem } from './system.ts'
import { waitUntil } from './wait.ts'

const OPEN = ['queued', 'preparing', 'running', 'input_required', 'paused']
const LIMIT_MS = 10_000

/**
 * Returns what `find` still finds after 10 s, each with `what` before it; empty as soon as it finds
 * nothing.
 */
const remaining = async (what: string, find: () => Promise<readonly string[]>): Promise<readonly string[]> => {
  let found: readonly string[] = []
  const isEmpty = async (): Promise<boolean> => {
    found = await find()
    return found.length === 0
  }
  return await waitUntil(what, isEmpty, LIMIT_MS, 250).then(
    () => [],
    () => found.map((name) => `${what}: ${name}`),
  )
}

/** Returns what a scenario left behind while the services still run. */
export const findLeftovers = async (system: TestSystem): Promise<readonly string[]> => {
  const { postgres } = system
  const open = await remaining('open task', async () =>
    (
      await postgres.query<{ id: string; status: string }>('SELECT id, status FROM tasks WHERE status = ANY ($1)', [
        OPEN,
      ])
    ).map((task) => `${task.id} is ${task.status}`),
  )
  const locks = await remaining('advisory lock', async () =>
    (await postgres.query<{ pid: number }>("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")).map(
      (lock) => `held by connection ${lock.pid}`,
    ),
  )
  const tasks = new Set((await postgres.query<{ id: string }>('SELECT id FROM tasks')).map((task) => task.id))
  const directories = await remaining('directory without a task', async () =>
    (await readdir(path.join(system.workspaces, 'tasks')).catch(() => [])).filter((name) => !tasks.has(name)),
  )
  const temporary = await remaining('temporary file', () => readdir(system.temporary))
  const tools = await remaining('tool process', async () =>
    (await findProcesses(system.runId))
      .filter((found) => /\bsleep\b/.test(found.command))
      .map((found) => `${found.pid} ${found.command}`),
  )
  return [...open, ...locks, ...directories, ...temporary, ...tools]
}

/** Returns the workers that are still registered after they have stopped. */
export const findRegisteredWorkers = async (system: TestSystem): Promise<readonly string[]> =>
  (
    await system.postgres.query<{ id: string }>(
      "SELECT id FROM workers WHERE heartbeat_at > now() - interval '2 seconds'",
    )
  ).map((worker) => `worker ${worker.id} is still registered`)

/** Returns the processes of a run that still exist after it has ended. */
export const findRunningProcesses = async (runId: string): Promise<readonly string[]> =>
  await remaining('process', async () => (await findProcesses(runId)).map((found) => `${found.pid} ${found.command}`))
