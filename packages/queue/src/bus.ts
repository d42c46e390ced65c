// The wake-up bus: notifies readers and workers that the database changed. Signals are hints: a lost one costs time, not
// data, because every listener also reads the database again at intervals.

import type { CallId, TaskDelta, TaskEvent, TaskId } from '@switchyard/contracts'

/** Sent to the readers of a task. `events` are already in the database; a delta is never stored. */
export type TaskSignal =
  | { readonly kind: 'events'; readonly events: readonly TaskEvent[] }
  | { readonly kind: 'delta'; readonly delta: TaskDelta }
  | { readonly kind: 'changed' }

/** Sent to the worker that runs a task: a control, message or reply for it was recorded. */
export type Command = { readonly kind: 'control' | 'message' | 'reply'; readonly task_id: TaskId }

/**
 * What changed: the rollout settings, the list of calls that wait for a worker, the result of one call, or a session
 * that belongs to no task.
 */
export type HintTopic = 'rollout' | 'calls' | `answer:${CallId}` | `session:${string}`

export type Unsubscribe = () => void

export interface Bus {
  /** Returns at once and never throws; the signal is lost while the bus is disconnected. */
  publishTask(id: TaskId, signal: TaskSignal): void
  /** Resolves when the subscription is active, or at once while the bus is disconnected. */
  onTask(id: TaskId, listener: (signal: TaskSignal) => void): Promise<Unsubscribe>
  publishCommand(command: Command): void
  onCommand(listener: (command: Command) => void): Promise<Unsubscribe>
  publishHint(topic: HintTopic): void
  onHint(topic: HintTopic, listener: () => void): Promise<Unsubscribe>
  /** Calls the listener after every reconnect: signals sent in between are lost. */
  onResume(listener: () => void): Unsubscribe
  /** Returns the round-trip time in milliseconds. @throws SwitchyardError `queue_unavailable` */
  ping(): Promise<number>
  close(): Promise<void>
}
