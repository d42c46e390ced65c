// What sessions wait for: permission asks and questions, of the session itself and of its subagents.

import type { PermissionRequest, PermissionRule, QuestionRequest } from '@opencode-ai/sdk/v2'
import { type Ask, type CallArgs, type SessionStatus, SwitchyardError } from '@switchyard/contracts'
import type { OpenCodeClient } from '@switchyard/opencode'
import { type OwnSession, openSession, requireNoOpenTask } from './access.ts'
import { settleByRules } from './automatic-replies.ts'
import type { SessionDeps } from './deps.ts'

const MAX_TITLE = 500
/** Without a message OpenCode ends the turn; with one the agent reads why and goes on. */
const NOT_ALLOWED = 'This is not allowed. Go on without it, or say what is missing.'

const ofPermission = (ask: PermissionRequest): Ask => {
  const what = ask.patterns.filter((pattern) => pattern !== '*').join(', ')
  return {
    id: ask.id,
    sessionID: ask.sessionID,
    kind: 'permission',
    title: `May the agent use ${ask.permission}${what ? `: ${what}` : ''}?`.slice(0, MAX_TITLE),
    permission: ask.permission,
    patterns: [...ask.patterns],
    questions: [],
  }
}

const ofQuestion = (ask: QuestionRequest): Ask => ({
  id: ask.id,
  sessionID: ask.sessionID,
  kind: 'question',
  title: ask.questions
    .map(({ question }) => question)
    .join(' ')
    .slice(0, MAX_TITLE),
  permission: null,
  patterns: [],
  questions: ask.questions.map(({ question, header, options, multiple }) => ({
    question,
    header: header ?? null,
    options: options.map(({ label, description }) => ({ label, description: description ?? null })),
    multiple: multiple ?? false,
  })),
})

export type SessionState = {
  readonly status: SessionStatus
  readonly asks: readonly Ask[]
  /** The session and all below it. */
  readonly tree: readonly string[]
}

/** Whether a session works, and what it and its subagents wait for. */
export const sessionStateOf = async (
  { client, place, session }: Pick<OwnSession, 'client' | 'place' | 'session'>,
  signal: AbortSignal,
): Promise<SessionState> => {
  const given = { signal }
  const [children, statuses, permissions, questions] = await Promise.all([
    client.children(place, given),
    client.statuses(place.directory, given),
    client.pendingPermissions(place.directory, given),
    client.pendingQuestions(place.directory, given),
  ])
  const tree = [place.sessionId, ...children.map(({ id }) => id)]
  const isOurs = ({ sessionID }: { readonly sessionID: string }) => tree.includes(sessionID)
  const isBusy = tree.some((id) => statuses[id] !== undefined && statuses[id].type !== 'idle')
  // Asks outlive the turn that asked.
  if (!isBusy) return { status: 'idle', asks: [], tree }
  const open = await settleByRules(client, permissions.filter(isOurs), place.directory, session, signal)
  const asks = [...open.map(ofPermission), ...questions.filter(isOurs).map(ofQuestion)]
  return { status: asks.length > 0 ? 'waiting' : 'active', asks, tree }
}

export const listAsks = async (deps: SessionDeps, args: CallArgs<'session.asks'>, signal: AbortSignal) => {
  const own = await openSession(deps, args, signal)
  return { asks: [...(await sessionStateOf(own, signal)).asks] }
}

const notAsked = (id: string): SwitchyardError =>
  new SwitchyardError('request_not_found', `the session has no open request ${id.slice(0, 80)}`, {
    hint: "Read the session's open requests: a request ends with its answer, or with its turn.",
  })

/** Returns the request as OpenCode reports it. @throws SwitchyardError `request_not_found`, `session_of_task` */
const openAsk = async <T extends { readonly id: string; readonly sessionID: string }>(
  deps: SessionDeps,
  args: CallArgs<'session.asks'> & { readonly request_id: string },
  list: (client: OpenCodeClient, directory: string) => Promise<readonly T[]>,
  signal: AbortSignal,
) => {
  const own = await openSession(deps, args, signal)
  requireNoOpenTask(own)
  const { client, place } = own
  const [{ tree }, asked] = await Promise.all([sessionStateOf(own, signal), list(client, place.directory)])
  const ask = asked.find(({ id, sessionID }) => id === args.request_id && tree.includes(sessionID))
  if (!ask) throw notAsked(args.request_id)
  return { client, place, ask, request: { requestId: ask.id, directory: place.directory } }
}

/** `always` of OpenCode reaches the other sessions of the directory: here it becomes a rule of the one that asked. */
const toRules = (ask: PermissionRequest): readonly PermissionRule[] => {
  const patterns = ask.always.length > 0 ? ask.always : ask.patterns
  return (patterns.length > 0 ? patterns : ['*']).map((pattern) => ({
    permission: ask.permission,
    pattern,
    action: 'allow' as const,
  }))
}

export const replyPermission = async (deps: SessionDeps, args: CallArgs<'session.permission'>, signal: AbortSignal) => {
  const list = (client: OpenCodeClient, directory: string) => client.pendingPermissions(directory, { signal })
  const { client, place, ask, request } = await openAsk(deps, args, list, signal)
  if (args.reply === 'always')
    await client.updateSession({ ...place, sessionId: ask.sessionID }, { permission: toRules(ask) }, { signal })
  const reply =
    args.reply === 'reject'
      ? { reply: 'reject' as const, message: args.message ?? NOT_ALLOWED }
      : { reply: 'once' as const }
  await client.replyPermission(request, reply, { signal })
  return {}
}

/** @throws SwitchyardError `invalid_request` where the answers do not fit the questions */
export const replyQuestion = async (deps: SessionDeps, args: CallArgs<'session.question'>, signal: AbortSignal) => {
  const list = (client: OpenCodeClient, directory: string) => client.pendingQuestions(directory, { signal })
  const { client, ask, request } = await openAsk(deps, args, list, signal)
  if (args.answers === null) await client.rejectQuestion(request, { signal })
  else if (args.answers.length !== ask.questions.length)
    throw new SwitchyardError('invalid_request', `answers: ${ask.questions.length} questions were asked`)
  else await client.replyQuestion(request, args.answers, { signal })
  return {}
}
