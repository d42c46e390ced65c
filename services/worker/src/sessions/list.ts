// The sessions of a project, whole or of one worktree, those that tasks made among them.

import type { Session } from '@opencode-ai/sdk/v2'
import {
  type CallArgs,
  type CallResult,
  isSwitchyardError,
  type SessionInfo,
  type SessionStatus,
} from '@switchyard/contracts'
import { listProjectServers, listSessionTasks, ownerOfServer } from '@switchyard/records'
import { directoryOf, isOwn, type OpenProject, onServer, openProject, openSession, taskOf } from './access.ts'
import type { SessionDeps } from './deps.ts'
import { toSessionInfo } from './describe.ts'
import { sessionStateOf } from './session-requests.ts'

/**
 * Querying a directory for its session statuses sets it up, for 4 to 13 MB. So only directories are queried in which the server's
 * events show work, or whose sessions changed within this time, since their events may still arrive, ms.
 */
const FRESH_MS = 60_000

type Tree = {
  readonly roots: readonly Session[]
  readonly childrenOf: (id: string) => readonly Session[]
}

const toTree = (sessions: readonly Session[]): Tree => {
  const known = new Set(sessions.map(({ id }) => id))
  const byParent = Map.groupBy(sessions, ({ parentID }) => parentID)
  return {
    roots: sessions.filter(({ parentID }) => parentID === undefined || !known.has(parentID)),
    childrenOf: (id) => byParent.get(id) ?? [],
  }
}

const descendants = (tree: Tree, id: string): readonly Session[] =>
  tree.childrenOf(id).flatMap((child) => [child, ...descendants(tree, child.id)])

/** Which sessions work, and which wait for an answer. */
const readStatuses = async (
  { server, client }: OpenProject,
  sessions: readonly Session[],
  signal: AbortSignal,
): Promise<(tree: Tree, id: string) => SessionStatus> => {
  await server.caughtUp()
  const ids = new Set(sessions.map(({ id }) => id))
  const fresh = sessions.filter(({ time }) => Date.now() - time.updated < FRESH_MS)
  const working = server.busy().filter(({ sessionId }) => ids.has(sessionId))
  const busy = new Set(working.map(({ sessionId }) => sessionId))
  const asking = new Set<string>()
  // One after the other: a burst of calls stalls the server.
  for (const directory of new Set([...fresh, ...working].flatMap((one) => one.directory ?? []))) {
    const [statuses, permissions, questions] = await Promise.all([
      client.statuses(directory, { signal }),
      client.pendingPermissions(directory, { signal }),
      client.pendingQuestions(directory, { signal }),
    ])
    for (const one of working) if (one.directory === directory) busy.delete(one.sessionId)
    for (const [id, { type }] of Object.entries(statuses)) if (type !== 'idle') busy.add(id)
    for (const { sessionID } of [...permissions, ...questions]) asking.add(sessionID)
  }
  return (tree, id) => {
    const all = [id, ...descendants(tree, id).map((child) => child.id)]
    if (!all.some((one) => busy.has(one))) return 'idle'
    return all.some((one) => asking.has(one)) ? 'waiting' : 'active'
  }
}

/** The last changed first. @throws SwitchyardError `project_not_ready`, `sandbox_not_found` */
export const listSessions = async (
  deps: SessionDeps,
  args: CallArgs<'session.list'>,
  signal: AbortSignal,
): Promise<CallResult<'session.list'>> => {
  const project = await openProject(deps, args)
  const others = args.agent === null ? await onOwnerServers(deps, project, signal) : []
  const lists = await Promise.all([project, ...others].map((one) => listOn(deps, one, args, signal)))
  const infos = others.length === 0 ? lists.flat() : lists.flat().toSorted((a, b) => changedAt(b) - changedAt(a))
  return {
    sessions: infos.slice(args.offset, args.offset + args.limit),
    total: infos.length,
    active: infos.filter(({ status }) => status !== 'idle').length,
  }
}

const changedAt = ({ updatedAt }: SessionInfo): number => Date.parse(updatedAt)

/** Returns the project on the servers of API keys that run now: an operator sees the sessions of all keys. */
const onOwnerServers = async (
  deps: SessionDeps,
  project: OpenProject,
  signal: AbortSignal,
): Promise<readonly OpenProject[]> => {
  const rows = (await listProjectServers(deps.records.db)).filter(
    ({ project_id: key, is_kept }) => is_kept && ownerOfServer(key) !== undefined,
  )
  const found = await Promise.all(
    rows.map(({ project_id: key }) =>
      deps.servers.find({ ...project.row, server: key }, signal).catch((error: unknown) => {
        if (isSwitchyardError(error, 'opencode_unavailable')) return undefined
        throw error
      }),
    ),
  )
  const others = found.flatMap((server) => (server && server !== project.server ? [server] : []))
  return await Promise.all(others.map((server) => onServer(deps, project, server)))
}

const listOn = async (
  deps: SessionDeps,
  project: OpenProject,
  args: CallArgs<'session.list'>,
  signal: AbortSignal,
): Promise<readonly SessionInfo[]> => {
  const only = args.worktree === null && args.directory === null ? undefined : directoryOf(project, args)
  const tree = toTree(await project.client.everyProjectSession(project.baseDir, { signal }))
  const tasks = await listSessionTasks(deps.records.db, {
    sessionIds: tree.roots.map(({ id }) => id),
    directories: [...new Set(tree.roots.map(({ directory }) => directory))],
  })
  const own = tree.roots.flatMap((session) => {
    const task = taskOf(project, tasks, session.id, session.directory)
    if (only !== undefined && session.directory !== only) return []
    return isOwn(project, args, session.directory, task) ? [{ session, task }] : []
  })
  const all = own.flatMap(({ session }) => [session, ...descendants(tree, session.id)])
  const statusOf = await readStatuses(project, all, signal)
  return own.map(({ session, task }) =>
    toSessionInfo(session, {
      project,
      task,
      status: statusOf(tree, session.id),
      children: tree.childrenOf(session.id).map(({ id }) => id),
      messageCount: null,
    }),
  )
}

/** One session as it is now. @throws SwitchyardError `session_not_found` */
export const readSession = async (
  deps: SessionDeps,
  args: CallArgs<'session.read'>,
  signal: AbortSignal,
): Promise<CallResult<'session.read'>> => {
  const own = await openSession(deps, args, signal)
  const [{ status, tree }, messageCount] = await Promise.all([
    sessionStateOf(own, signal),
    deps.counts.of(own.client, own.place, signal),
  ])
  const children = tree.slice(1)
  return { session: toSessionInfo(own.session, { ...own, status, children, messageCount }) }
}

/** How many sessions each directory has on the servers that run, for all projects at once and without setting any of them up. */
export const countSessions = async (deps: SessionDeps, signal: AbortSignal): Promise<CallResult<'session.count'>> => {
  const listed = deps.servers.running().map(({ server }) => server.client.everySession({ roots: true }, { signal }))
  const sessions = (await Promise.all(listed)).flat()
  return {
    directories: [...Map.groupBy(sessions, ({ directory }) => directory)].map(([directory, found]) => ({
      directory,
      sessions: found.length,
      updated_at: new Date(found.reduce((last, { time }) => Math.max(last, time.updated), 0)).toISOString(),
    })),
  }
}
