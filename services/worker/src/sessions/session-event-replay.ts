// Replays a session's messages as events: each part once it has content, and the end of each turn, in session order.

import type { Message, Part } from '@opencode-ai/sdk/v2'
import type { NewEvent, SessionEvent } from '@switchyard/contracts'
import { maskSecrets, narratePart, oneLine, type SessionMessage, summariseTurn } from '@switchyard/opencode'
import { type Cursor, END, formatCursor, type Told } from './cursor.ts'
import { CUT_OFF, isIncomplete, lastAnswer } from './cut-off.ts'

const MAX_TEXT = 32_768

/** A part, or the end of a turn, as it is now. */
type Item = {
  readonly message: Message
  readonly key: string
  readonly event: Omit<SessionEvent, 'id' | 'sessionID'> | undefined
  readonly told: Told
  /** It produces no further event. */
  readonly isFinal: boolean
}

const TYPES: Readonly<Partial<Record<NewEvent['type'], SessionEvent['type']>>> = { task_artifact: 'session_artifact' }

const iso = (ms: number): string => new Date(ms).toISOString()

/** Returns when a part ended, else when it began, else when its message began. */
const timeOf = (part: Part, message: Message): number => {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return part.time?.end ?? part.time?.start ?? message.time.created
    case 'tool':
      if (part.state.status === 'pending') return message.time.created
      return 'end' in part.state.time ? part.state.time.end : part.state.time.start
    default:
      return message.role === 'assistant' ? (message.time.completed ?? message.time.created) : message.time.created
  }
}

const isEnded = (part: Part): boolean => {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return part.time?.end !== undefined
    case 'tool':
      return part.state.status === 'completed' || part.state.status === 'error'
    default:
      return true
  }
}

const ofUser = (part: Part, message: Message): Item['event'] => {
  if (part.type !== 'text' || part.synthetic || part.ignored) return undefined
  const text = maskSecrets(part.text.slice(0, MAX_TEXT))
  return {
    type: 'session_message',
    timestamp: iso(message.time.created),
    message: oneLine(part.text),
    data: { text, truncated: part.text.length > MAX_TEXT, message_id: message.id, part_id: part.id },
  }
}

const ofAgent = (part: Part, message: Message, directory: string): Item['event'] => {
  const [told] = narratePart(part, message, { directory })
  return (
    told && {
      type: TYPES[told.type] ?? 'session_progress',
      timestamp: iso(timeOf(part, message)),
      message: told.message,
      data: { ...told.data },
    }
  )
}

const ofPart = (part: Part, message: Message, directory: string, isPast: boolean): Item => {
  const event = (message.role === 'user' ? ofUser(part, message) : undefined) ?? ofAgent(part, message, directory)
  const isOver = message.role === 'user' || message.time.completed !== undefined || isPast
  const isFinal = isOver || isEnded(part)
  const isRunning = part.type === 'tool' && part.state.status === 'running'
  return { message, key: part.id, event, told: event === undefined ? 0 : isRunning ? 1 : 2, isFinal }
}

/** Returns the end of a turn; undefined while it continues, or when the message is one step of several. */
const ofEnd = ({ info, parts }: SessionMessage, isCutOff: boolean): Item | undefined => {
  if (info.role !== 'assistant') return undefined
  const { end: found, output, error: failure, usage, cost, model } = summariseTurn([[{ info, parts }]])
  if (!isCutOff && (found === 'open' || found === 'unanswered')) return undefined
  const { end, error } = isCutOff ? { end: 'interrupted' as const, error: CUT_OFF } : { end: found, error: failure }
  const text = maskSecrets(output.slice(0, MAX_TEXT))
  const last = parts.reduce((time, part) => Math.max(time, timeOf(part, info)), info.time.created)
  return {
    message: info,
    key: END,
    told: 2,
    isFinal: true,
    event: {
      type: 'session_turn_ended',
      timestamp: iso(info.time.completed ?? last),
      message: error ? `${end}: ${oneLine(error.message)}` : `${end}: ${oneLine(output)}`,
      data: { end, output: text, error, usage, cost, model, message_id: info.id },
    },
  }
}

/** @param abandoned - the last answer, when nothing will complete it. */
const toItems = (
  messages: readonly SessionMessage[],
  directory: string,
  isIdle: boolean,
  abandoned: SessionMessage | undefined,
): readonly Item[] => {
  const last = messages.at(-1)
  // Answers come one after another: messages sent meanwhile follow the one in progress.
  const newest = lastAnswer(messages)
  const items = messages.flatMap((message) => {
    const { info, parts } = message
    const isLeft = message !== newest
    const own = parts.map((part) => ofPart(part, info, directory, isLeft || message === abandoned))
    // Parts may follow the answer until the session is idle.
    const end = message !== last || isIdle ? ofEnd(message, isLeft && isIncomplete(message)) : undefined
    return end ? [...own, end] : own
  })
  const cut = abandoned && ofEnd(abandoned, true)
  // After messages sent meanwhile, which were already replayed.
  return cut && last ? [...items, { ...cut, message: last.info }] : items
}

/** Returns the index of the last item that the cursor has seen; -1 for none. */
const furthestOf = (items: readonly Item[], cursor: Cursor | undefined): number => {
  if (!cursor) return -1
  const exact = items.findLastIndex(({ message, key }) => message.id === cursor.messageId && key === cursor.item)
  if (exact >= 0) return exact
  // The message or its last part was reverted: what remains of it, and what came before, was seen.
  return items.findLastIndex(({ message }) => message.id <= cursor.messageId)
}

/**
 * Returns the events after the cursor, each with the cursor after it.
 *
 * @param messages - from the cursor's message on, or all; in their order.
 * @param isIdle - no turn runs.
 * @param abandoned - the last answer, when nothing will complete it.
 */
export const tellFrom = (
  messages: readonly SessionMessage[],
  cursor: Cursor | undefined,
  place: { readonly sessionId: string; readonly directory: string },
  isIdle: boolean,
  abandoned?: SessionMessage,
): readonly SessionEvent[] => {
  const items = toItems(messages, place.directory, isIdle, abandoned)
  const seen = furthestOf(items, cursor)
  const open = new Map<string, Told>(cursor?.open)
  const events: SessionEvent[] = []
  items.forEach((item, at) => {
    const isSeen = at <= seen
    if (isSeen && !open.has(item.key)) return
    const before = open.get(item.key) ?? 0
    const isNews = item.event !== undefined && item.told > before
    if (item.isFinal || item.told === 2) open.delete(item.key)
    else open.set(item.key, isNews ? item.told : before)
    if (!isNews || !item.event) return
    const furthest = isSeen ? items[seen] : item
    if (!furthest) return
    const id = formatCursor({ messageId: furthest.message.id, item: furthest.key, open })
    events.push({ id, sessionID: place.sessionId, ...item.event })
  })
  return events
}
