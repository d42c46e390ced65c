// Says something to a session, and waits for the answer as long as the caller likes.

import {
  type CallArgs,
  type CallResult,
  isSwitchyardError,
  LIMITS,
  type ModelChoice,
  newOpenCodeMessageId,
  parseModel,
  type SendToSession,
  type SentToSession,
  SwitchyardError,
} from '@switchyard/contracts'
import { type On, type Scope, type SessionDeps, scopeOf } from './deps.ts'

/** How often a turn is looked at without a hint, ms. */
const LOOK_EVERY_MS = 2_000
/** A turn that is idle and has no answer for so long will have none, ms: OpenCode writes a prompt after it has taken it. */
const UNANSWERED_MS = 5_000
/** A look that the end of the wait would cut short is given so long, ms. */
const LAST_LOOK_MS = 1_000

export const toModelRef = (model: ModelChoice | undefined) => {
  return (typeof model === 'string' ? parseModel(model) : model) ?? null
}

type SendDeps = Pick<SessionDeps, 'config' | 'records' | 'calls' | 'bus'>

type Turn = CallResult<'session.turn'>

const NO_ANSWER = {
  code: 'opencode_error',
  message: 'OpenCode took the message and did not answer it',
  retryable: true,
} as const

const toSent = (messageID: string, turn: Turn | undefined, error: SentToSession['error']): SentToSession => ({
  running: error === null && turn?.state !== 'ended',
  messageID,
  info: turn?.message?.info ?? null,
  parts: turn?.message?.parts ?? [],
  text: turn?.text ?? null,
  asks: turn?.asks ?? [],
  error: turn?.error ?? error,
})

/** The message is there: a failure that may pass would only have it sent again. @returns undefined where nobody can say */
const lookAt = async (
  { calls }: SendDeps,
  args: CallArgs<'session.turn'>,
  options: Scope['options'],
): Promise<Turn | undefined> => {
  try {
    return await calls.call('session.turn', args, options)
  } catch (error) {
    if (isSwitchyardError(error) && error.retryable) return undefined
    throw error
  }
}

/** Looks at the turn until it ends or asks; woken by hints, and from time to time without. */
const followTurn = async (
  deps: SendDeps,
  { who, options }: Scope,
  sessionId: string,
  messageId: string,
  waitMs: number,
): Promise<SentToSession> => {
  const ends = Date.now() + waitMs
  let wake = Promise.withResolvers<void>()
  const onWake = () => wake.resolve()
  const off = await deps.bus.onHint(`session:${sessionId}`, onWake)
  options.signal?.addEventListener('abort', onWake, { once: true })
  let idleSince: number | undefined
  try {
    for (;;) {
      wake = Promise.withResolvers<void>()
      const args = { ...who, session_id: sessionId, message_id: messageId }
      const turn = await lookAt(deps, args, { ...options, waitMs: Math.max(ends - Date.now(), LAST_LOOK_MS) })
      if (turn?.state === 'ended' || turn?.state === 'waiting') return toSent(messageId, turn, null)
      idleSince = turn?.state === 'unanswered' ? (idleSince ?? Date.now()) : undefined
      if (idleSince !== undefined && Date.now() - idleSince > UNANSWERED_MS) return toSent(messageId, turn, NO_ANSWER)
      const left = ends - Date.now()
      if (left <= 0 || options.signal?.aborted) return toSent(messageId, turn, null)
      const timer = setTimeout(onWake, Math.min(left, LOOK_EVERY_MS))
      await wake.promise
      clearTimeout(timer)
    }
  } finally {
    off()
    options.signal?.removeEventListener('abort', onWake)
  }
}

/**
 * @returns whether it is known to have arrived.
 * @throws SwitchyardError as `sendToSession`; where sending it again may help it says under which id.
 */
const deliver = async (
  { calls }: SendDeps,
  args: CallArgs<'session.message'>,
  options: Scope['options'],
): Promise<boolean> => {
  try {
    await calls.call('session.message', args, options)
    return true
  } catch (error) {
    // The worker goes on with it.
    if (isSwitchyardError(error, 'call_timeout')) return false
    if (!isSwitchyardError(error) || !error.retryable) throw error
    throw new SwitchyardError(error.code, error.message, {
      hint: `${error.hint} It may have arrived: sent again with the message id ${args.message_id} it is said once.`,
      retryable: true,
      context: error.context,
      cause: error,
    })
  }
}

/**
 * @param waitMs - 0: does not wait for the turn; `LIMITS.maxWaitMs` at most.
 * @param deliverMs - a message that has not arrived by then is told as running, with its id.
 * @throws SwitchyardError `session_not_found`, `session_of_task`, `model_not_found`, `agent_not_found`, `invalid_request`
 */
export const sendToSession = async (
  deps: SendDeps,
  on: On,
  sessionId: string,
  input: SendToSession,
  waitMs: number,
  deliverMs: number = LIMITS.maxWaitMs,
): Promise<SentToSession> => {
  const began = Date.now()
  const scope = await scopeOf(deps, on)
  const messageId = input.messageID ?? newOpenCodeMessageId()
  const { model, agent, variant, system, noReply = false } = input
  const hasArrived = await deliver(
    deps,
    {
      ...scope.who,
      session_id: sessionId,
      message_id: messageId,
      text: input.parts.map((part) => part.text).join('\n\n'),
      model: toModelRef(model),
      agent_name: agent ?? null,
      variant: variant ?? null,
      system: system ?? null,
      no_reply: noReply,
    },
    { ...scope.options, waitMs: deliverMs },
  )
  if (!hasArrived) return toSent(messageId, undefined, null)
  const left = Math.min(waitMs, LIMITS.maxWaitMs) - (Date.now() - began)
  if (noReply) return { ...toSent(messageId, undefined, null), running: false }
  if (left <= 0) return toSent(messageId, undefined, null)
  return await followTurn(deps, scope, sessionId, messageId, left)
}
