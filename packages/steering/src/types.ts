// What steering works with, and the person or program on whose behalf it acts.

import type { TaskId } from '@switchyard/contracts'
import type { Bus, TaskQueue } from '@switchyard/queue'
import type { Records } from '@switchyard/records'
import type { Logger } from 'pino'

/**
 * Calls `look` until it returns a value, and returns that; undefined after `timeoutMs`. An implementation that receives the
 * task's events calls it after each of them; one that does not calls it every `everyMs`.
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

/** Who steers a task. */
export type Actor = {
  /** Shown with the event: an agent's id, a key's name, a Matrix user. */
  readonly by: string
  /**
   * The `source_key` of the event that records what was done: an actor that repeats itself after a crash finds with
   * `findToldType` whether it was done.
   */
  readonly sourceKey?: string
}
