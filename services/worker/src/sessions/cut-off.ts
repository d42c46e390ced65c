// Finds interrupted answers: OpenCode stopped or restarted during one. Nothing marks such an answer, and nothing continues it.

import { setTimeout as delay } from 'node:timers/promises'
import type { SessionMessage } from '@switchyard/opencode'
import type { OwnSession } from './access.ts'
import { sessionStateOf } from './session-requests.ts'

/** How long after its session is idle the end of an aborted answer may be written, ms. */
const SETTLE_MS = 1_000

/** Not retryable: the turn's work is done, and the same message would repeat it. */
export const CUT_OFF = {
  code: 'opencode_error',
  message:
    'the turn was cut off before its answer was complete: OpenCode restarted, or the turn ended while it waited for the model. Its work stays; another message continues from there',
  retryable: false,
} as const

export const lastAnswer = (messages: readonly SessionMessage[]): SessionMessage | undefined =>
  messages.findLast(({ info }) => info.role === 'assistant')

/** The answer is in progress or was interrupted. */
export const isIncomplete = ({ info }: SessionMessage): boolean =>
  info.role === 'assistant' && info.time.completed === undefined && info.error === undefined

/**
 * Returns whether nothing will complete an answer, in a session that was idle when its messages were read. A turn may have begun
 * since, so this checks twice, with the session idle in between.
 */
export const isAbandoned = async (
  own: Pick<OwnSession, 'client' | 'place' | 'session'>,
  answer: SessionMessage,
  signal: AbortSignal,
): Promise<boolean> => {
  if (!isIncomplete(answer)) return false
  await delay(SETTLE_MS, undefined, { signal })
  if ((await sessionStateOf(own, signal)).status !== 'idle') return false
  const now = await own.client.message({ ...own.place, messageId: answer.info.id }, { signal })
  return now !== undefined && isIncomplete(now)
}
