// What happened in a session since a reader last looked, and how it is now.

import type { CallArgs, CallResult } from '@switchyard/contracts'
import type { SessionMessage } from '@switchyard/opencode'
import { type OwnSession, openSession, requireProject } from './access.ts'
import { standingOf } from './asks.ts'
import { type Cursor, END, parseCursor } from './cursor.ts'
import { isAbandoned, lastAnswer } from './cut-off.ts'
import type { SessionDeps } from './deps.ts'
import { messagesFrom } from './messages.ts'
import { tellFrom } from './telling.ts'

/** Events at once; the rest is the next call's. */
const PAGE = 200

const NOTHING_NEW: CallResult<'session.events'> = { events: [], has_more: false, status: 'idle', asks: [] }

/** Of a server that nobody has started nothing works; undefined where it rests and is not to be started for this. */
const open = async (
  deps: SessionDeps,
  args: CallArgs<'session.events'>,
  signal: AbortSignal,
): Promise<OwnSession | undefined> => {
  if (args.may_start) return await openSession(deps, args, signal)
  const { row } = await requireProject(deps, args)
  const server = await deps.servers.find(row, signal)
  return server && (await openSession({ ...deps, serverFor: async () => server }, args, signal))
}

/** The last answer, where it was cut off and that was not told yet. */
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

/** @throws SwitchyardError `session_not_found`, `opencode_unavailable`, `invalid_request` where `after` is no event's id */
export const readEvents = async (
  deps: SessionDeps,
  args: CallArgs<'session.events'>,
  signal: AbortSignal,
): Promise<CallResult<'session.events'>> => {
  const cursor = args.after === null ? undefined : parseCursor(args.after)
  const own = await open(deps, args, signal)
  if (!own) return NOTHING_NEW
  const { client, place } = own
  // How it is first: what is read after that is at least as new, so an end is never told before what led to it.
  const { status, asks } = await standingOf(own, signal)
  // From an answer on: parts of it may have gone on after what was said meanwhile.
  const isThere = ({ info }: SessionMessage) => info.role === 'assistant' && info.id <= (cursor?.messageId ?? '')
  const messages = await messagesFrom(client, place, isThere, signal)
  const abandoned = status === 'idle' ? await findAbandoned(own, messages, cursor, signal) : undefined
  const events = tellFrom(messages, cursor, place, status === 'idle', abandoned)
  return { events: events.slice(0, PAGE), has_more: events.length > PAGE, status, asks: [...asks] }
}
