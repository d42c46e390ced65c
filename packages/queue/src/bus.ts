// The wake-up bus: tells readers and workers that the record changed. A hint only; Postgres has the truth,
// and whoever listens reads again by itself from time to time.

import type { CallId, TaskDelta, TaskEvent, TaskId } from '@switchyard/contracts'

/** What a reader of a task is told. `events` are already in the record; a delta never will be. */
export type TaskSignal =
  | { readonly kind: 'events'; readonly events: readonly TaskEvent[] }
  | { readonly kind: 'delta'; readonly delta: TaskDelta }
  | { readonly kind: 'changed' }

/** What the worker that runs a task is told: look at the record again. */
export type Command = { readonly kind: 'control' | 'message' | 'reply'; readonly task_id: TaskId }

/**
 * The settings of the rollout; calls that wait for a worker; the answer to one call; a session that is not a task's.
 */
export type HintTopic = 'rollout' | 'calls' | `answer:${CallId}` | `session:${string}`

export type Unsubscribe = () => void

export interface Bus {
  /** Never throws and never waits: a lost hint costs time, not data. */
  publishTask(id: TaskId, signal: TaskSignal): void
  /** Resolves once the subscription stands: what is published after that arrives. */
  onTask(id: TaskId, listener: (signal: TaskSignal) => void): Promise<Unsubscribe>
  publishCommand(command: Command): void
  onCommand(listener: (command: Command) => void): Promise<Unsubscribe>
  /** Something changed: whoever keeps it reads it again. */
  publishHint(topic: HintTopic): void
  onHint(topic: HintTopic, listener: () => void): Promise<Unsubscribe>
  /** Called when the bus was cut off and stands again: signals may have been missed. */
  onResume(listener: () => void): Unsubscribe
  /** Milliseconds of a round trip. @throws SwitchyardError `queue_unavailable` */
  ping(): Promise<number>
  close(): Promise<void>
}
