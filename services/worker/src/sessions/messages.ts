// The messages of a session: reading pages, sending one, and the state of its turn.

import {
  type CallArgs,
  type CallResult,
  isSwitchyardError,
  type SessionMessageInfo,
  SwitchyardError,
} from '@switchyard/contracts'
import {
  cursorBefore,
  type OpenCodeClient,
  type SessionMessage,
  type SessionRef,
  summariseTurn,
} from '@switchyard/opencode'
import { type OwnSession, openSession, requireDirectory, requireNoOpenTask } from './access.ts'
import { requireAgent, requireModel } from './choice.ts'
import { ensureRules } from './create.ts'
import { CUT_OFF, isAbandoned, isIncomplete, lastAnswer } from './cut-off.ts'
import type { SessionDeps } from './deps.ts'
import { ownMetadata } from './describe.ts'
import { sessionStateOf } from './session-requests.ts'

/** A page holds at most this many bytes of JSON, unless a single message is larger. */
const PAGE_BYTES = 4 * 1_048_576
/** Reads the newest first, where the wanted message usually is. */
const FIRST_PAGE = 10
const NEXT_PAGE = 100

const toMessage = ({ info, parts }: SessionMessage): SessionMessageInfo => ({
  info: { ...info, createdAt: new Date(info.time.created).toISOString() },
  parts: parts.map((part) => ({ ...part })),
})

/**
 * Returns the messages from one on, in order; reads from the newest back until it is found.
 *
 * @param isThere - returns true for the message to stop at.
 * @returns all messages when there is no such message.
 */
export const messagesFrom = async (
  client: OpenCodeClient,
  place: SessionRef,
  isThere: (message: SessionMessage) => boolean,
  signal: AbortSignal,
): Promise<readonly SessionMessage[]> => {
  let found: readonly SessionMessage[] = []
  let before: string | undefined
  for (;;) {
    const limit = found.length === 0 ? FIRST_PAGE : NEXT_PAGE
    const page = await client.messagePage(place, { limit, before }, { signal })
    found = [...page.messages, ...found]
    const at = found.findLastIndex(isThere)
    if (at >= 0) return found.slice(at)
    if (page.before === undefined || page.messages.length === 0) return found
    before = page.before
  }
}

const cursorOf = async (
  client: OpenCodeClient,
  place: SessionRef,
  messageId: string,
  signal: AbortSignal,
): Promise<string> => {
  const message = await client.message({ ...place, messageId }, { signal })
  if (message) return cursorBefore(message.info)
  throw new SwitchyardError('message_not_found', `the session has no message ${messageId}`)
}

/** @throws SwitchyardError `message_not_found` when `before` is not a message of the session */
export const readMessages = async (
  deps: SessionDeps,
  args: CallArgs<'session.messages'>,
  signal: AbortSignal,
): Promise<CallResult<'session.messages'>> => {
  const { client, place } = await openSession(deps, args, signal)
  const before = args.before === null ? undefined : await cursorOf(client, place, args.before, signal)
  const [page, total] = await Promise.all([
    client.messagePage(place, { limit: args.limit, before }, { signal }),
    deps.counts.of(client, place, signal),
  ])
  const messages: SessionMessageInfo[] = []
  let bytes = 0
  for (const message of page.messages.toReversed()) {
    const told = toMessage(message)
    bytes += Buffer.byteLength(JSON.stringify(told))
    if (bytes > PAGE_BYTES && messages.length > 0) break
    messages.unshift(told)
  }
  return { messages, total, hasMore: page.before !== undefined || messages.length < page.messages.length }
}

/** @throws SwitchyardError `invalid_request` when the id belongs to an answer */
const isSaid = async ({ client, place }: OwnSession, messageId: string, signal: AbortSignal): Promise<boolean> => {
  const there = await client.message({ ...place, messageId }, { signal })
  if (there && there.info.role !== 'user')
    throw new SwitchyardError('invalid_request', `messageID: ${messageId} is an answer of the session’s agent`)
  return there !== undefined
}

/**
 * Sends a message to the session. The message's id is chosen by the caller, so sending it twice starts one turn; OpenCode itself
 * would restart a turn that was aborted or failed.
 *
 * @throws SwitchyardError `session_not_found`, `session_of_task`, `model_not_found`, `agent_not_found`, `invalid_request`
 */
export const sendMessage = async (deps: SessionDeps, args: CallArgs<'session.message'>, signal: AbortSignal) => {
  const own = await openSession(deps, args, signal)
  requireNoOpenTask(own)
  await requireDirectory(own)
  if (await isSaid(own, args.message_id, signal)) return {}
  const { client, place, session } = own
  await ensureRules(client, session, place, signal)
  if (args.model) await requireModel(client, place.directory, args.model, signal)
  const agent = args.agent_name === null ? session.agent : args.agent_name
  if (args.agent_name !== null) await requireAgent(client, place.directory, args.agent_name, signal)
  const system = args.system ?? ownMetadata(session).system
  await client.promptAsync(
    {
      ...place,
      messageId: args.message_id,
      text: args.text,
      ...(args.model ? { model: args.model } : {}),
      ...(agent === undefined ? {} : { agent }),
      ...(args.variant === null ? {} : { variant: args.variant }),
      ...(typeof system === 'string' ? { system } : {}),
      ...(args.no_reply ? { noReply: true } : {}),
    },
    { signal },
  )
  return {}
}

const ABORTED = { code: 'request_rejected', message: 'the turn was aborted', retryable: false } as const

/** Returns the last answer to a message, or the last of its turn when it was read during a turn. */
const answerTo = (messages: readonly SessionMessage[], messageId: string): SessionMessage | undefined =>
  messages.findLast(({ info }) => info.role === 'assistant' && info.parentID === messageId) ??
  messages.findLast(({ info }) => info.role === 'assistant')

const isCutOff = async (
  own: OwnSession,
  messages: readonly SessionMessage[],
  answer: SessionMessage,
  isIdle: boolean,
  signal: AbortSignal,
): Promise<boolean> => {
  const isFollowed = answer !== lastAnswer(messages)
  return isFollowed ? isIncomplete(answer) : isIdle && (await isAbandoned(own, answer, signal))
}

const NOT_ENDED = { state: 'running', message: null, text: null, asks: [], error: null } as const

/** Returns the state of the turn of a message sent before. @throws SwitchyardError `session_not_found` */
export const readTurn = async (
  deps: SessionDeps,
  args: CallArgs<'session.turn'>,
  signal: AbortSignal,
): Promise<CallResult<'session.turn'>> => {
  try {
    return await lookAtTurn(deps, args, signal)
  } catch (error) {
    // The outcome is visible when the server is available again; a caller that got a failure might send it again.
    if (isSwitchyardError(error, 'opencode_unavailable')) return { ...NOT_ENDED, asks: [] }
    throw error
  }
}

const lookAtTurn = async (
  deps: SessionDeps,
  args: CallArgs<'session.turn'>,
  signal: AbortSignal,
): Promise<CallResult<'session.turn'>> => {
  const own = await openSession(deps, args, signal)
  const { client, place } = own
  const { status, asks } = await sessionStateOf(own, signal)
  const from = await messagesFrom(client, place, ({ info }) => info.id === args.message_id, signal)
  const nothing = { ...NOT_ENDED, asks: [...asks] }
  const isWritten = from[0]?.info.id === args.message_id
  const answer = isWritten ? answerTo(from, args.message_id) : undefined
  const summary = answer ? summariseTurn([[answer]]) : undefined
  const isOver = summary && summary.end !== 'open' && (status === 'idle' || summary.end === 'finished')
  if (answer && isOver) {
    const error = summary.end === 'aborted' ? ABORTED : summary.error
    return { state: 'ended', message: toMessage(answer), text: summary.output, asks: [], error }
  }
  if (answer && summary && (await isCutOff(own, from, answer, status === 'idle', signal)))
    return { state: 'ended', message: toMessage(answer), text: summary.output, asks: [], error: CUT_OFF }
  if (status === 'idle') return { ...nothing, state: 'unanswered' }
  return { ...nothing, state: status === 'waiting' ? 'waiting' : 'running' }
}
