// Answers to what people say in a room: sent once each, by the id of what was said.

import type { Failed } from '../outcome.ts'
import { type Attachment, fileContent, messageContent, type Place } from './content.ts'
import { failureOf } from './failure.ts'
import type { Homeserver } from './homeserver.ts'
import { within } from './pace.ts'
import type { Wording } from './wording.ts'

/** Somebody waits, and a server that limits lets one call through every few seconds, ms. */
const TIMEOUT_MS = 60_000

export type SaidBack = { readonly wording: Wording; readonly attachment?: Attachment }

export type Answered = { readonly kind: 'arrived'; readonly eventId: string }

/** @param to - the event that is answered. @param place - null: in the room itself. */
export const answerIn = async (
  homeserver: Homeserver,
  roomId: string,
  to: string,
  place: Place,
  { wording, attachment }: SaidBack,
  signal: AbortSignal,
): Promise<Answered | Failed> => {
  const limits = within(TIMEOUT_MS, signal)
  try {
    const uri = attachment && (await homeserver.upload(attachment.name, attachment.type, attachment.text, limits))
    const content = messageContent(wording, { kind: 'notice', place })
    const eventId = await homeserver.send(roomId, `${to}.answer`, content, limits)
    if (attachment && uri) await homeserver.send(roomId, `${to}.file`, fileContent(attachment, uri, place), limits)
    return { kind: 'arrived', eventId }
  } catch (error) {
    return failureOf(error, TIMEOUT_MS)
  }
}
