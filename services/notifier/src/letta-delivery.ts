// Prepares the delivery to the agent that created a task. It is skipped if the agent has read the event
// in a call or the request no longer waits, and it waits while a call of the agent may still return the event.

import {
  type LettaMessage,
  messageText,
  openRequestOf,
  type Skipped,
  type Waiting,
  waiting,
} from '@switchyard/channels'
import type { Task, TaskEvent } from '@switchyard/contracts'
import type { AgentView, DeliveryRow } from '@switchyard/records'

/** A message to send, or an outcome without one. */
export type LettaDelivery =
  | { readonly kind: 'letta'; readonly message: LettaMessage }
  | { readonly kind: 'decided'; readonly outcome: Waiting | Skipped }

/** Interval of the check whether the call in which the agent waits has returned, ms. */
const CALL_CHECK_MS = 500

const isOutdated = (task: Task, event: TaskEvent): boolean =>
  event.type === 'task_input_required' && openRequestOf(task, event) === undefined

/** @param view - what the agent has read of the task; undefined if it has made no calls that count. */
export const prepareLettaDelivery = (
  row: DeliveryRow,
  task: Task,
  event: TaskEvent,
  view: AgentView | undefined,
): LettaDelivery => {
  const skipped = (code: 'seen_in_call' | 'no_longer_asked', message: string): LettaDelivery => ({
    kind: 'decided',
    outcome: { kind: 'skipped', reason: { code, message } },
  })
  // A message that Letta has accepted is followed to its end, even if the agent reads the event elsewhere meanwhile.
  if (row.letta_run_id === null) {
    if ((view?.seenSeq ?? 0) >= event.seq) return skipped('seen_in_call', 'the agent has read the event in a call')
    if (isOutdated(task, event)) return skipped('no_longer_asked', 'the request has been answered')
    if (view?.waits) {
      const reason = { code: 'agent_in_call', message: 'the agent waits for the event in a call' } as const
      return { kind: 'decided', outcome: waiting(CALL_CHECK_MS, { reason }) }
    }
  }
  return {
    kind: 'letta',
    message: {
      id: row.id,
      agentId: task.agent_id,
      text: messageText(task, event),
      runId: row.letta_run_id,
      attempt: row.attempts,
    },
  }
}
