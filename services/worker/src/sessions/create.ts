// Creates sessions, new or from others. A repeated call finds what the first one created by its marker.

import type { Session } from '@opencode-ai/sdk/v2'
import { type CallArgs, type CallResult, KEY_MARKER, parseModel, SwitchyardError } from '@switchyard/contracts'
import { type OpenCodeClient, permissionRules, type SessionRef } from '@switchyard/opencode'
import { directoryOf, type OpenProject, type OwnSession, openProject, openSession, type Who } from './access.ts'
import { requireAgent, requireModel } from './choice.ts'
import type { SessionDeps } from './deps.ts'
import { ownMetadata, policyOf, toMetadata, toSessionInfo, withoutOwn } from './describe.ts'

/** Among so many of a project's newest sessions a repeated call looks for what the first try made. */
const RECENT = 100

const findMade = async (
  client: OpenCodeClient,
  directory: string,
  marker: string,
  signal: AbortSignal,
): Promise<Session | undefined> =>
  (await client.projectSessions(directory, RECENT, { signal })).find(
    (session) => ownMetadata(session).marker === marker,
  )

/** Creates once per marker. A call's marker repeats only after the worker that had it died. */
const once = async (deps: SessionDeps, marker: string, make: () => Promise<Session>): Promise<Session> =>
  marker.startsWith(KEY_MARKER) ? await deps.records.withLock(`session:${marker}`, make) : await make()

const asNew = (session: Session, own: Pick<OwnSession, 'project' | 'task'>) => ({
  session: toSessionInfo(session, { ...own, status: 'idle', children: [], messageCount: null }),
})

/** Where a new session works: with a parent, in the parent's directory. */
const placeOf = async (
  deps: SessionDeps,
  args: CallArgs<'session.create'>,
  signal: AbortSignal,
): Promise<Pick<OwnSession, 'project' | 'task'> & { readonly directory: string }> => {
  const project = await openProject(deps, args)
  const isNamed = args.worktree !== null || args.directory !== null
  const named = directoryOf(project, args)
  if (args.parent_id === null) return { project, task: undefined, directory: named }
  const parent = await openSession(deps, { ...args, session_id: args.parent_id }, signal)
  if (isNamed && parent.place.directory !== named)
    throw new SwitchyardError('invalid_request', 'parentID: that session works in another directory')
  return { project, task: parent.task, directory: parent.place.directory }
}

/**
 * @throws SwitchyardError `project_not_ready`, `sandbox_not_found`, `session_not_found`, `agent_not_found`, `model_not_found`
 */
export const createSession = async (
  deps: SessionDeps,
  args: CallArgs<'session.create'>,
  signal: AbortSignal,
): Promise<CallResult<'session.create'>> => {
  const { project, task, directory } = await placeOf(deps, args, signal)
  const session = await once(deps, args.marker, () => findOrMake(deps, args, { project, directory }, signal))
  return asNew(session, { project, task })
}

const findOrMake = async (
  deps: SessionDeps,
  args: CallArgs<'session.create'>,
  { project, directory }: { readonly project: OpenProject; readonly directory: string },
  signal: AbortSignal,
): Promise<Session> => {
  const { client } = project
  const made = await findMade(client, directory, args.marker, signal)
  if (made) return made
  const agent = args.agent_name === null ? undefined : await requireAgent(client, directory, args.agent_name, signal)
  if (args.model) await requireModel(client, directory, args.model, signal)
  return await client.createSession(
    {
      directory,
      title: args.title ?? `Session of ${new Date().toISOString().slice(0, 16).replace('T', ' ')}`,
      permission: permissionRules(args.permissions, agent?.permission),
      ...(args.parent_id === null ? {} : { parentId: args.parent_id }),
      ...(agent ? { agent: agent.name } : {}),
      model: args.model ?? parseModel(project.row.model) ?? parseModel(deps.defaultModel),
      metadata: toMetadata(args.metadata, {
        marker: args.marker,
        system: args.system,
        permissions: args.permissions,
      }),
    },
    { signal },
  )
}

/**
 * A session without rules of its own would do what its agent may, unasked: one that another program made, or a fork, which
 * OpenCode makes without the rules of the first.
 */
export const ensureRules = async (
  client: OpenCodeClient,
  session: Session,
  place: SessionRef,
  signal: AbortSignal,
): Promise<void> => {
  if ((session.permission?.length ?? 0) > 0) return
  const agents = session.agent === undefined ? [] : await client.agents(place.directory, { signal })
  const agent = agents.find(({ name }) => name === session.agent)
  await client.updateSession(place, { permission: permissionRules(policyOf(session), agent?.permission) }, { signal })
}

/** @throws SwitchyardError `message_not_found`: OpenCode would copy all of it instead */
export const requireMessage = async (own: OwnSession, messageId: string, signal: AbortSignal): Promise<void> => {
  if (await own.client.message({ ...own.place, messageId }, { signal })) return
  throw new SwitchyardError('message_not_found', `the session has no message ${messageId}`)
}

/** @throws SwitchyardError `session_not_found`, `message_not_found` */
export const forkSession = async (
  deps: SessionDeps,
  args: CallArgs<'session.fork'> & Who,
  signal: AbortSignal,
): Promise<CallResult<'session.fork'>> => {
  const own = await openSession(deps, args, signal)
  return asNew(await once(deps, args.marker, () => findOrFork(own, args, signal)), own)
}

const findOrFork = async (own: OwnSession, args: CallArgs<'session.fork'>, signal: AbortSignal): Promise<Session> => {
  const { client, place, session } = own
  const made = await findMade(client, place.directory, args.marker, signal)
  if (made) return made
  if (args.message_id !== null) await requireMessage(own, args.message_id, signal)
  const fork = await client.forkSession(place, args.message_id ?? undefined, { signal })
  const forked = { ...place, sessionId: fork.id }
  const given = withoutOwn(session.metadata)
  const metadata = toMetadata(given, { ...ownMetadata(session), marker: args.marker })
  await ensureRules(client, { ...fork, metadata: toMetadata(given, ownMetadata(session)) }, forked, signal)
  return await client.updateSession(forked, { metadata }, { signal })
}
