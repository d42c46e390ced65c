// Replies to a person's message. The id of the reply is derived from the id of the message, so it is sent once.

import type { Failed } from '../outcome.ts'
import { fileContent, type MatrixMessage, messageContent, type ThreadPosition } from './content.ts'
import { failureOf } from './failure.ts'
import type { Homeserver } from './homeserver.ts'
import { deadlineIn } from './rate-limiter.ts'

/** A person waits for the reply, but a server that limits may allow only one call every few seconds, ms. */
const TIMEOUT_MS = 60_000

export type Sent = { readonly kind: 'sent'; readonly eventId: string }

/**
 * Sends a reply and its attachment.
 *
 * @param to - id of the event to reply to.
 * @param position - null for a message outside of any thread.
 */
export const sendReply = async (
  homeserver: Homeserver,
  roomId: string,
  to: string,
  position: ThreadPosition,
  { text, attachment }: MatrixMessage,
  signal: AbortSignal,
): Promise<Sent | Failed> => {
  const deadline = deadlineIn(TIMEOUT_MS, signal)
  try {
    const uri = attachment && (await homeserver.upload(attachment.name, attachment.type, attachment.content, deadline))
    const content = messageContent(text, { kind: 'notice', position })
    const eventId = await homeserver.send(roomId, `${to}.answer`, content, deadline)
    if (attachment && uri) await homeserver.send(roomId, `${to}.file`, fileContent(attachment, uri, position), deadline)
    return { kind: 'sent', eventId }
  } catch (error) {
    return failureOf(error, TIMEOUT_MS)
  }
}
