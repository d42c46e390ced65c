// What steering a task works with, and on whose behalf it is done.

import type { TaskId } from '@switchyard/contracts'
import type { Bus, TaskQueue } from '@switchyard/queue'
import type { Records } from '@switchyard/records'
import type { Logger } from 'pino'

/**
 * Looks until `look` finds something or the time is over. Whoever hears of a task's progress may look at once; `everyMs` is how
 * often to look without being woken.
 */
export type Wait = <T>(
  id: TaskId,
  limits: { readonly timeoutMs: number; readonly everyMs: number },
  look: () => Promise<T | undefined>,
) => Promise<T | undefined>

export type SteeringDeps = {
  readonly records: Records
  readonly bus: Pick<Bus, 'publishTask' | 'publishCommand'>
  readonly queue: Pick<TaskQueue, 'add'>
  readonly logger: Logger
  readonly wait: Wait
}

/** Who says it, and where it came from. */
export type Speaker = {
  /** Shown with the event: an agent's id, a key's name, a Matrix user. */
  readonly by: string
  /** The `source_key` of the event that tells it: `findToldType` knows by it that it was done. */
  readonly sourceKey?: string
}
