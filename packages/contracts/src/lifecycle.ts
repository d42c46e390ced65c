// The task's state machine: which status may follow which, and nothing else. Every write asks here first.

import { STATUSES, type Status } from './task.ts'

const NEXT: Readonly<Record<Status, readonly Status[]>> = {
  queued: ['preparing', 'paused', 'failed', 'cancelled', 'timeout'],
  // Back to queued: the worker hands it over, or was lost before the session existed.
  preparing: ['queued', 'running', 'paused', 'failed', 'cancelled', 'timeout'],
  running: ['queued', 'input_required', 'paused', 'completed', 'failed', 'cancelled', 'timeout'],
  input_required: ['queued', 'running', 'paused', 'completed', 'failed', 'cancelled', 'timeout'],
  paused: ['queued', 'failed', 'cancelled', 'timeout'],
  completed: [],
  failed: [],
  cancelled: [],
  timeout: [],
}

/** True when `to` may follow `from`. A terminal status is followed by none. */
export const canMove = (from: Status, to: Status): boolean => NEXT[from].includes(to)

/** The statuses that `to` may follow, for a guard in a query. */
export const sourcesOf = (to: Status): readonly Status[] => STATUSES.filter((from) => canMove(from, to))

/** The statuses from which something still follows. */
export const OPEN_STATUSES: readonly Status[] = STATUSES.filter((status) => NEXT[status].length > 0)
