// Reads from the database which worker owns which task. Scenarios choose a worker to stop by it,
// and wait until another one takes over.

import type { TestSystem, WorkerService } from './system.ts'
import { waitUntil } from './wait.ts'

export type Owned = { readonly id: string; readonly generation: number; readonly status: string }

const OWNED_STATUSES = ['preparing', 'running', 'input_required']

/** Returns the open tasks of a worker. */
export const ownedBy = async (system: TestSystem, workerId: string): Promise<readonly Owned[]> =>
  await system.postgres.query<Owned>(
    'SELECT id, generation, status FROM tasks WHERE worker_id = $1 AND status = ANY ($2)',
    [workerId, OWNED_STATUSES],
  )

/** Returns the workers that run at least one task. */
export const busyWorkers = async (system: TestSystem): Promise<readonly WorkerService[]> => {
  const rows = await system.postgres.query<{ worker_id: string }>(
    "SELECT DISTINCT worker_id FROM tasks WHERE status = 'running' AND worker_id IS NOT NULL",
  )
  const busy = new Set(rows.map((row) => row.worker_id))
  const found: WorkerService[] = []
  for (const worker of system.workers()) if (busy.has(await worker.id())) found.push(worker)
  return found
}

/**
 * Waits until each of these tasks has another owner or has ended.
 *
 * @returns for each task with another owner, the milliseconds from `since`
 */
export const waitForTakeover = async (
  system: TestSystem,
  tasks: readonly Owned[],
  since: number,
  timeoutMs: number,
): Promise<readonly number[]> => {
  const waiting = new Map(tasks.map((task) => [task.id, task.generation]))
  const times: number[] = []
  await waitUntil(
    `another worker takes over ${[...waiting.keys()].join(', ')}`,
    async () => {
      const rows = await system.postgres.query<{
        id: string
        generation: number
        worker_id: string | null
        status: string
      }>('SELECT id, generation, worker_id, status FROM tasks WHERE id = ANY ($1)', [[...waiting.keys()]])
      for (const row of rows) {
        const hasNewOwner = row.generation > (waiting.get(row.id) ?? 0) && row.worker_id !== null
        if (hasNewOwner) times.push(Date.now() - since)
        if (hasNewOwner || !OWNED_STATUSES.includes(row.status)) waiting.delete(row.id)
      }
      return waiting.size === 0
    },
    timeoutMs,
  )
  return times
}

/** Resolves when the task runs. */
export const waitUntilRunning = async (system: TestSystem, id: string, timeoutMs = 30_000): Promise<void> => {
  await waitUntil(
    `${id} is running`,
    async () => {
      const [row] = await system.postgres.query<{ status: string }>('SELECT status FROM tasks WHERE id = $1', [id])
      return row?.status === 'running'
    },
    timeoutMs,
  )
}
