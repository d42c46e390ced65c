// What the agent behind a task is told, unless it knows: it has read it in a call of its own, is about to, or nobody asks any more.

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

/** A message to send, or what comes of it without one. */
export type AgentNotice =
  | { readonly kind: 'letta'; readonly message: LettaMessage }
  | { readonly kind: 'settled'; readonly outcome: Waiting | Skipped }

/** How soon it is looked at again whether a call in which the agent waits has answered, ms. */
const CALL_LOOK_MS = 500

const isMoot = (task: Task, event: TaskEvent): boolean =>
  event.type === 'task_input_required' && openRequestOf(task, event) === undefined

/** @param view - what the agent has seen of the task; undefined: it made no calls that count. */
export const agentNotice = (
  row: DeliveryRow,
  task: Task,
  event: TaskEvent,
  view: AgentView | undefined,
): AgentNotice => {
  const skipped = (code: 'seen_in_call' | 'no_longer_asked', message: string): AgentNotice => ({
    kind: 'settled',
    outcome: { kind: 'skipped', why: { code, message } },
  })
  // What Letta has taken is followed to its end, whatever else the agent sees meanwhile.
  if (row.letta_run_id === null) {
    if ((view?.seenSeq ?? 0) >= event.seq) return skipped('seen_in_call', 'the agent has read it in a call of its own')
    if (isMoot(task, event)) return skipped('no_longer_asked', 'the request was answered meanwhile')
    if (view?.waits) {
      const why = { code: 'agent_in_call', message: 'the agent waits for it within a call' } as const
      return { kind: 'settled', outcome: waiting(CALL_LOOK_MS, { why }) }
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
