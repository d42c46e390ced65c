// What happened in a session since a reader last looked, and how it is now.

import type { CallArgs, CallResult } from '@switchyard/contracts'
import { openSession } from './access.ts'
import { standingOf } from './asks.ts'
import { parseCursor } from './cursor.ts'
import type { SessionDeps } from './deps.ts'
import { messagesFrom } from './messages.ts'
import { tellFrom } from './telling.ts'

/** Events at once; the rest is the next call's. */
const PAGE = 200

/** @throws SwitchyardError `session_not_found`, `invalid_request` where `after` is no event's id */
export const readEvents = async (
  deps: SessionDeps,
  args: CallArgs<'session.events'>,
  signal: AbortSignal,
): Promise<CallResult<'session.events'>> => {
  const cursor = args.after === null ? undefined : parseCursor(args.after)
  const own = await openSession(deps, args, signal)
  const { client, place } = own
  // How it is first: what is read after that is at least as new, so an end is never told before what led to it.
  const { status, asks } = await standingOf(own, signal)
  const messages = await messagesFrom(client, place, ({ info }) => info.id === cursor?.messageId, signal)
  const events = tellFrom(messages, cursor, place, status === 'idle')
  return { events: events.slice(0, PAGE), has_more: events.length > PAGE, status, asks: [...asks] }
}
