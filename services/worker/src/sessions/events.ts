// Reads what happened in a session since a cursor, and its current state.

import type { CallArgs, CallResult } from '@switchyard/contracts'
import type { SessionMessage } from '@switchyard/opencode'
import { type OwnSession, openSession, requireProject, serverOfSession } from './access.ts'
import { type Cursor, END, parseCursor } from './cursor.ts'
import { isAbandoned, lastAnswer } from './cut-off.ts'
import type { SessionDeps } from './deps.ts'
import { messagesFrom } from './messages.ts'
import { tellFrom } from './session-event-replay.ts'
import { sessionStateOf } from './session-requests.ts'

/** Events per call; the next call returns the rest. */
const PAGE = 200

const NOTHING_NEW: CallResult<'session.events'> = { events: [], has_more: false, status: 'idle', asks: [] }

/** Nothing works on a stopped server; undefined when it is stopped and must not be started for this. */
const open = async (
  deps: SessionDeps,
  args: CallArgs<'session.events'>,
  signal: AbortSignal,
): Promise<OwnSession | undefined> => {
  if (args.may_start) return await openSession(deps, args, signal)
  const { row } = await requireProject(deps, args)
  const server = await deps.servers.find({ ...row, server: await serverOfSession(deps, args) }, signal)
  return server && (await openSession({ ...deps, serverFor: async () => server }, args, signal))
}

/** Returns the last answer if it was interrupted and that was not reported yet. */
const findAbandoned = async (
  own: OwnSession,
  messages: readonly SessionMessage[],
  cursor: Cursor | undefined,
  signal: AbortSignal,
): Promise<SessionMessage | undefined> => {
  const answer = lastAnswer(messages)
  if (!answer || (cursor?.item === END && cursor.messageId >= answer.info.id)) return undefined
  return (await isAbandoned(own, answer, signal)) ? answer : undefined
}

/** @throws SwitchyardError `session_not_found`, `opencode_unavailable`, `invalid_request` when `after` is not an event's id */
export const readEvents = async (
  deps: SessionDeps,
  args: CallArgs<'session.events'>,
  signal: AbortSignal,
): Promise<CallResult<'session.events'>> => {
  const cursor = args.after === null ? undefined : parseCursor(args.after)
  const own = await open(deps, args, signal)
  if (!own) return NOTHING_NEW
  const { client, place } = own
  // Reads the state first: everything read later is at least as new, so an end is never reported before its causes.
  const { status, asks } = await sessionStateOf(own, signal)
  // Starts at an answer: its parts may have continued after messages sent meanwhile.
  const isThere = ({ info }: SessionMessage) => info.role === 'assistant' && info.id <= (cursor?.messageId ?? '')
  const messages = await messagesFrom(client, place, isThere, signal)
  const abandoned = status === 'idle' ? await findAbandoned(own, messages, cursor, signal) : undefined
  const events = tellFrom(messages, cursor, place, status === 'idle', abandoned)
  return { events: events.slice(0, PAGE), has_more: events.length > PAGE, status, asks: [...asks] }
}
