// Sends a message to a session, and waits for the reply as long as the caller wants.

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
import { type ProjectCall, type ProjectScope, resolveScope, type SessionDeps } from './deps.ts'

/** Poll interval of a turn when no hint arrives, ms. */
const POLL_MS = 2_000
/** An idle turn without a reply for this long has failed, ms. OpenCode accepts a prompt before it writes it. */
const UNANSWERED_MS = 5_000
/** Minimum time for a poll, even if less of the caller's wait is left, ms. */
const MIN_POLL_MS = 1_000

export const toModelRef = (model: ModelChoice | undefined) => {
  return (typeof model === 'string' ? parseModel(model) : model) ?? null
}

type SendDeps = Pick<SessionDeps, 'config' | 'records' | 'calls' | 'bus'>

type Turn = CallResult<'session.turn'>

const NO_ANSWER = {
  code: 'opencode_error',
  message: 'OpenCode accepted the message but did not reply',
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

/** Returns the turn, or undefined on a transient failure: the message has arrived, and the caller must not send it again. */
const readTurn = async (
  { calls }: SendDeps,
  args: CallArgs<'session.turn'>,
  options: ProjectScope['options'],
): Promise<Turn | undefined> => {
  try {
    return await calls.call('session.turn', args, options)
  } catch (error) {
    if (isSwitchyardError(error) && error.retryable) return undefined
    throw error
  }
}

/** Waits until the turn ends or needs input. Wakes on hints, and polls in case one is lost. */
const followTurn = async (
  deps: SendDeps,
  { callerArgs, options }: ProjectScope,
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
      const args = { ...callerArgs, session_id: sessionId, message_id: messageId }
      const turn = await readTurn(deps, args, { ...options, waitMs: Math.max(ends - Date.now(), MIN_POLL_MS) })
      if (turn?.state === 'ended' || turn?.state === 'waiting') return toSent(messageId, turn, null)
      idleSince = turn?.state === 'unanswered' ? (idleSince ?? Date.now()) : undefined
      if (idleSince !== undefined && Date.now() - idleSince > UNANSWERED_MS) return toSent(messageId, turn, NO_ANSWER)
      const left = ends - Date.now()
      if (left <= 0 || options.signal?.aborted) return toSent(messageId, turn, null)
      const timer = setTimeout(onWake, Math.min(left, POLL_MS))
      await wake.promise
      clearTimeout(timer)
    }
  } finally {
    off()
    options.signal?.removeEventListener('abort', onWake)
  }
}

/**
 * Delivers the message.
 *
 * @returns false if it is unknown yet whether the message has arrived
 * @throws SwitchyardError as `sendToSession`; a retryable one names the message id to retry with
 */
const deliver = async (
  { calls }: SendDeps,
  args: CallArgs<'session.message'>,
  options: ProjectScope['options'],
): Promise<boolean> => {
  try {
    await calls.call('session.message', args, options)
    return true
  } catch (error) {
    // The worker continues to deliver it.
    if (isSwitchyardError(error, 'call_timeout')) return false
    if (!isSwitchyardError(error) || !error.retryable) throw error
    throw new SwitchyardError(error.code, error.message, {
      hint: `${error.hint} The message may have arrived; send it again with message id ${args.message_id} to avoid a duplicate.`,
      retryable: true,
      context: error.context,
      cause: error,
    })
  }
}

/**
 * Sends a message and returns the reply, or the state of the turn after the wait.
 *
 * @param waitMs - how long to wait for the turn, ms; 0 does not wait, and the maximum is `LIMITS.maxWaitMs`
 * @param deliverMs - how long to wait for the delivery, ms; after that the message is reported as running, with its id
 * @throws SwitchyardError `session_not_found`, `session_of_task`, `model_not_found`, `agent_not_found`, `invalid_request`
 */
export const sendToSession = async (
  deps: SendDeps,
  call: ProjectCall,
  sessionId: string,
  input: SendToSession,
  waitMs: number,
  deliverMs: number = LIMITS.maxWaitMs,
): Promise<SentToSession> => {
  const began = Date.now()
  const scope = await resolveScope(deps, call)
  const messageId = input.messageID ?? newOpenCodeMessageId()
  const { model, agent, variant, system, noReply = false } = input
  const hasArrived = await deliver(
    deps,
    {
      ...scope.callerArgs,
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
