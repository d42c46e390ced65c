// Answers that were cut off: OpenCode ended, or began anew, in the middle of one. Nothing marks such an answer, and nothing goes on with
// it by itself.

import { setTimeout as delay } from 'node:timers/promises'
import type { SessionMessage } from '@switchyard/opencode'
import type { OwnSession } from './access.ts'
import { standingOf } from './asks.ts'

/** The end of an aborted answer may be written a moment after its session is idle, ms. */
const SETTLE_MS = 1_000

/** Not retryable: what the turn had done is done, and the same message would have it done again. */
export const CUT_OFF = {
  code: 'opencode_error',
  message:
    'the turn was cut off before its answer was complete: OpenCode was started anew, or the turn was ended while it waited for the model. What it had done stays; a further message goes on from there',
  retryable: false,
} as const

export const lastAnswer = (messages: readonly SessionMessage[]): SessionMessage | undefined =>
  messages.findLast(({ info }) => info.role === 'assistant')

/** It is being made, or was cut off. */
export const isIncomplete = ({ info }: SessionMessage): boolean =>
  info.role === 'assistant' && info.time.completed === undefined && info.error === undefined

/**
 * Whether nothing will complete an answer, in a session that was idle when the messages were read. A turn may have begun since: so it is
 * looked at twice, with the session idle in between.
 */
export const isAbandoned = async (
  own: Pick<OwnSession, 'client' | 'place' | 'session'>,
  answer: SessionMessage,
  signal: AbortSignal,
): Promise<boolean> => {
  if (!isIncomplete(answer)) return false
  await delay(SETTLE_MS, undefined, { signal })
  if ((await standingOf(own, signal)).status !== 'idle') return false
  const now = await own.client.message({ ...own.place, messageId: answer.info.id }, { signal })
  return now !== undefined && isIncomplete(now)
}
