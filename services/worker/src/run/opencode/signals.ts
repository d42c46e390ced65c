// What a batch of signals about a session means: which events it gives, and what must be read or
// done after it.

import type { EventMessagePartDelta } from '@opencode-ai/sdk/v2'
import type { NewEvent } from '@switchyard/contracts'
import { narrateStatus, type OpenCodeEvent, type OpenCodeFailure, type SubscriptionMessage } from '@switchyard/opencode'
import type { Transcript } from './transcript.ts'

export type Signal =
  | SubscriptionMessage
  /** The api has written a control, a message or a reply to the record. */
  | { readonly kind: 'command' }
  /** Events were missed: the mailbox overflowed, or the server was unavailable. */
  | { readonly kind: 'missed_events' }

export type Batch = {
  readonly events: readonly NewEvent[]
  readonly deltas: readonly EventMessagePartDelta['properties'][]
  /** The messages whose parts have changed. */
  readonly changedMessages: readonly string[]
  /** Undefined if there was no error event of the task's own session. */
  readonly sessionError: OpenCodeFailure | null | undefined
  /** The sessions' messages must be read, because the events are incomplete. */
  readonly mustRead: boolean
  /** The record must be read: it may have a control or a message. */
  readonly mustRefresh: boolean
  /** Requests must be settled: there may be new ones or replies. */
  readonly mustSettle: boolean
  /** The turn may have ended. */
  readonly mustJudge: boolean
}

/**
 * Reads a batch, and adds the messages and subagents in it to the transcript.
 *
 * @param isCheckDue - everything is due, whatever the signals are.
 */
export const readSignals = (signals: readonly Signal[], transcript: Transcript, isCheckDue: boolean): Batch => {
  const stream = signals.flatMap((signal) => (signal.kind === 'event' ? [signal.event] : []))
  const narrated = stream.map((event) => narrate(event, transcript))
  const errors = stream.flatMap((event) =>
    event.type === 'session.error' && transcript.isRoot(event.properties.sessionID ?? '')
      ? [event.properties.error ?? null]
      : [],
  )
  const hasStreamed = (...prefixes: readonly string[]): boolean =>
    stream.some(({ type }) => prefixes.some((prefix) => type.startsWith(prefix)))
  const mustRead = narrated.includes(null) || signals.some(({ kind }) => kind === 'resync' || kind === 'missed_events')
  const mustRefresh = isCheckDue || mustRead || signals.some(({ kind }) => kind === 'command')
  return {
    events: narrated.flatMap((events) => events ?? []),
    deltas: stream.flatMap((event) => (event.type === 'message.part.delta' ? [event.properties] : [])),
    changedMessages: stream.flatMap((event) =>
      event.type === 'message.part.updated' ? [event.properties.part.messageID] : [],
    ),
    sessionError: errors.at(-1),
    mustRead,
    mustRefresh,
    mustSettle: mustRefresh || hasStreamed('permission.', 'question.'),
    mustJudge: isCheckDue || mustRead || hasStreamed('session.idle', 'session.error'),
  }
}

/** @returns null if the state must be read to understand the event. */
const narrate = (event: OpenCodeEvent, transcript: Transcript): readonly NewEvent[] | null => {
  switch (event.type) {
    case 'message.updated':
      transcript.addMessage(event.properties.info)
      return []
    case 'message.part.updated':
      return transcript.narrate(event.properties.part)
    case 'session.created':
    case 'session.updated':
      transcript.addChild(event.properties.info.id, event.properties.info.title)
      return []
    case 'session.status':
      return narrateStatus(event.properties.sessionID, event.properties.status)
    default:
      return []
  }
}
