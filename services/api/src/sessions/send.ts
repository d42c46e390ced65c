// Says something to a session, and waits for the answer as long as the caller likes.

import {
  type CallResult,
  LIMITS,
  type ModelChoice,
  newOpenCodeMessageId,
  type SendToSession,
  type SentToSession,
} from '@switchyard/contracts'
import { type On, type Scope, type SessionDeps, scopeOf } from './deps.ts'

/** How often a turn is looked at without a hint, ms. */
const LOOK_EVERY_MS = 2_000
/** A turn that is idle and has no answer for so long will have none, ms: OpenCode writes a prompt after it has taken it. */
const UNANSWERED_MS = 5_000

export const toModelRef = (model: ModelChoice | undefined) => {
  if (typeof model !== 'string') return model ?? null
  const slash = model.indexOf('/')
  return { providerID: model.slice(0, slash), modelID: model.slice(slash + 1) }
}

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

/** Looks at the turn until it ends or asks; woken by hints, and from time to time without. */
const followTurn = async (
  deps: SessionDeps,
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
      const turn = await deps.calls.call('session.turn', args, options)
      if (turn.state === 'ended' || turn.state === 'waiting') return toSent(messageId, turn, null)
      idleSince = turn.state === 'unanswered' ? (idleSince ?? Date.now()) : undefined
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
 * @param waitMs - 0: does not wait; `LIMITS.maxWaitMs` at most.
 * @throws SwitchyardError `session_not_found`, `session_of_task`, `model_not_found`, `agent_not_found`
 */
export const sendToSession = async (
  deps: SessionDeps,
  on: On,
  sessionId: string,
  input: SendToSession,
  waitMs: number,
): Promise<SentToSession> => {
  const began = Date.now()
  const scope = await scopeOf(deps, on)
  const messageId = newOpenCodeMessageId()
  const { model, agent, variant, system, noReply = false } = input
  await deps.calls.call(
    'session.message',
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
    scope.options,
  )
  const left = Math.min(waitMs, LIMITS.maxWaitMs) - (Date.now() - began)
  if (noReply) return { ...toSent(messageId, undefined, null), running: false }
  if (left <= 0) return toSent(messageId, undefined, null)
  return await followTurn(deps, scope, sessionId, messageId, left)
}
