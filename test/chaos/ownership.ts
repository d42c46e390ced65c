// Who owns which task, as the record says: how scenarios choose a victim and see that another took over.

import { until } from './wait.ts'
import type { WorkerService, World } from './world.ts'

export type Owned = { readonly id: string; readonly generation: number; readonly status: string }

const HELD = ['preparing', 'running', 'input_required']

/** The open tasks of a worker. */
export const ownedBy = async (world: World, workerId: string): Promise<readonly Owned[]> =>
  await world.postgres.query<Owned>(
    'SELECT id, generation, status FROM tasks WHERE worker_id = $1 AND status = ANY ($2)',
    [workerId, HELD],
  )

/** A worker that runs at least one task now, or undefined. */
export const busyWorkers = async (world: World): Promise<readonly WorkerService[]> => {
  const rows = await world.postgres.query<{ worker_id: string }>(
    "SELECT DISTINCT worker_id FROM tasks WHERE status = 'running' AND worker_id IS NOT NULL",
  )
  const busy = new Set(rows.map((row) => row.worker_id))
  const found: WorkerService[] = []
  for (const worker of world.workers()) if (busy.has(await worker.id())) found.push(worker)
  return found
}

/**
 * Waits until each of these tasks has another owner, or has ended.
 *
 * @returns for each that was taken over, milliseconds from `since`.
 */
export const untilTakenOver = async (
  world: World,
  tasks: readonly Owned[],
  since: number,
  timeoutMs: number,
): Promise<readonly number[]> => {
  const waiting = new Map(tasks.map((task) => [task.id, task.generation]))
  const times: number[] = []
  await until(
    `another worker takes ${[...waiting.keys()].join(', ')}`,
    async () => {
      const rows = await world.postgres.query<{
        id: string
        generation: number
        worker_id: string | null
        status: string
      }>('SELECT id, generation, worker_id, status FROM tasks WHERE id = ANY ($1)', [[...waiting.keys()]])
      for (const row of rows) {
        const isTaken = row.generation > (waiting.get(row.id) ?? 0) && row.worker_id !== null
        if (isTaken) times.push(Date.now() - since)
        if (isTaken || !HELD.includes(row.status)) waiting.delete(row.id)
      }
      return waiting.size === 0
    },
    timeoutMs,
  )
  return times
}

/** Resolves once the record says that the task runs. */
export const untilRunning = async (world: World, id: string, timeoutMs = 30_000): Promise<void> => {
  await until(
    `${id} runs`,
    async () => {
      const [row] = await world.postgres.query<{ status: string }>('SELECT status FROM tasks WHERE id = $1', [id])
      return row?.status === 'running'
    },
    timeoutMs,
  )
}
