// What the model does for a session by itself: AGENTS.md, and the summary that takes the place of a long conversation.

import { setTimeout as delay } from 'node:timers/promises'
import { type CallArgs, type CallResult, parseModel, SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import type { OpenCodeClient, SessionRef } from '@switchyard/opencode'
import { type OwnSession, openSession, requireDirectory, requireNoOpenTask } from './access.ts'
import { chooseModel } from './choice.ts'
import { ensureRules } from './create.ts'
import type { SessionDeps } from './deps.ts'
import { sessionStateOf } from './session-requests.ts'

/** OpenCode answers when the model has; what takes longer than this goes on without anybody waiting, ms. */
const ANSWER_MS = 40_000
const LOOK_EVERY_MS = 1_000

/** @throws SwitchyardError `session_busy` */
const requireIdle = async (own: OwnSession, signal: AbortSignal): Promise<void> => {
  const { status } = await sessionStateOf(own, signal)
  if (status !== 'idle') throw new SwitchyardError('session_busy', 'a turn runs in the session')
}

/** @returns whether it still goes on: it takes long, or it asks something. */
const within = async (
  deps: SessionDeps,
  own: OwnSession,
  work: Promise<void>,
  signal: AbortSignal,
): Promise<{ readonly running: boolean }> => {
  const ended = work.then(() => true)
  ended.catch((error: unknown) =>
    deps.logger.info({ session_id: own.session.id, err: toSwitchyardError(error).message }, 'the model’s work failed'),
  )
  const until = Date.now() + ANSWER_MS
  for (;;) {
    if (await Promise.race([ended, delay(LOOK_EVERY_MS, false, { signal })])) return { running: false }
    if (Date.now() > until || (await sessionStateOf(own, signal)).status === 'waiting') return { running: true }
  }
}

const modelFor = (
  deps: SessionDeps,
  own: OwnSession,
  given: CallArgs<'session.compact'>['model'],
  signal: AbortSignal,
) => {
  const { session, project, client, place } = own
  const kept = session.model ? { providerID: session.model.providerID, modelID: session.model.id } : undefined
  const chosen = [given ?? undefined, kept, parseModel(project.row.model), parseModel(deps.defaultModel)]
  return chooseModel(client, place.directory, chosen, signal)
}

/** Has the model write AGENTS.md. @throws SwitchyardError `session_of_task`, `session_busy`, `model_not_found` */
export const initSession = async (
  deps: SessionDeps,
  args: CallArgs<'session.init'>,
  signal: AbortSignal,
): Promise<CallResult<'session.init'>> => {
  const own = await openSession(deps, args, signal)
  requireNoOpenTask(own)
  await requireDirectory(own)
  const { client, place } = own
  const messageId = args.message_id
  if (await client.message({ ...place, messageId }, { signal })) return { running: true }
  await requireIdle(own, signal)
  const model = await modelFor(deps, own, args.model, signal)
  await ensureRules(client, own.session, place, signal)
  return await within(deps, own, client.initSession(place, { messageId, model }), signal)
}

/** A conversation that ends with its summary: to sum it up again would only lose words. */
const isCompact = async (client: OpenCodeClient, place: SessionRef, signal: AbortSignal): Promise<boolean> => {
  const { messages } = await client.messagePage(place, { limit: 1 }, { signal })
  const last = messages.at(-1)?.info
  // One without a message has nothing to sum up.
  if (!last) return true
  return last.role === 'assistant' && last.summary === true && last.time.completed !== undefined
}

/** @throws SwitchyardError `session_of_task`, `session_busy`, `model_not_found` */
export const compactSession = async (
  deps: SessionDeps,
  args: CallArgs<'session.compact'>,
  signal: AbortSignal,
): Promise<CallResult<'session.compact'>> => {
  const own = await openSession(deps, args, signal)
  requireNoOpenTask(own)
  const { client, place } = own
  if (await isCompact(client, place, signal)) return { running: false }
  await requireIdle(own, signal)
  const model = await modelFor(deps, own, args.model, signal)
  return await within(deps, own, client.summarizeSession(place, model), signal)
}
