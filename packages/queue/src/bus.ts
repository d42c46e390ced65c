// The wake-up bus: tells readers and workers that the record changed. A hint only; Postgres has the truth,
// and whoever listens reads again by itself from time to time.

import type { TaskDelta, TaskEvent, TaskId } from '@switchyard/contracts'

/** What a reader of a task is told. `events` are already in the record; a delta never will be. */
export type TaskSignal =
  | { readonly kind: 'events'; readonly events: readonly TaskEvent[] }
  | { readonly kind: 'delta'; readonly delta: TaskDelta }
  | { readonly kind: 'changed' }

/** What the worker that runs a task is told: look at the record again. */
export type Command = { readonly kind: 'control' | 'message' | 'reply'; readonly task_id: TaskId }

export type Unsubscribe = () => void

export interface Bus {
  /** Never throws and never waits: a lost hint costs time, not data. */
  publishTask(id: TaskId, signal: TaskSignal): void
  /** Resolves once the subscription stands: what is published after that arrives. */
  onTask(id: TaskId, listener: (signal: TaskSignal) => void): Promise<Unsubscribe>
  publishCommand(command: Command): void
  onCommand(listener: (command: Command) => void): Promise<Unsubscribe>
  /** The settings of the rollout changed: whoever keeps them reads them again. */
  publishRollout(): void
  onRollout(listener: () => void): Promise<Unsubscribe>
  /** Called when the bus was cut off and stands again: signals may have been missed. */
  onResume(listener: () => void): Unsubscribe
  /** Milliseconds of a round trip. @throws SwitchyardError `queue_unavailable` */
  ping(): Promise<number>
  close(): Promise<void>
}
