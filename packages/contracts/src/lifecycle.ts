// The state machine of a task: which status may follow which. Every write checks it.

import { STATUSES, type Status } from './task.ts'

const NEXT: Readonly<Record<Status, readonly Status[]>> = {
  queued: ['preparing', 'paused', 'failed', 'cancelled', 'timeout'],
  // Back to queued: the worker stops, or died before the session existed.
  preparing: ['queued', 'running', 'paused', 'failed', 'cancelled', 'timeout'],
  running: ['queued', 'input_required', 'paused', 'completed', 'failed', 'cancelled', 'timeout'],
  input_required: ['queued', 'running', 'paused', 'completed', 'failed', 'cancelled', 'timeout'],
  paused: ['queued', 'failed', 'cancelled', 'timeout'],
  completed: [],
  failed: [],
  cancelled: [],
  timeout: [],
}

/** Returns true when `to` may follow `from`. Nothing follows a terminal status. */
export const canMove = (from: Status, to: Status): boolean => NEXT[from].includes(to)

/** Returns the statuses that `to` may follow, for a condition in a query. */
export const sourcesOf = (to: Status): readonly Status[] => STATUSES.filter((from) => canMove(from, to))

/** The statuses that are not terminal. */
export const OPEN_STATUSES: readonly Status[] = STATUSES.filter((status) => NEXT[status].length > 0)
