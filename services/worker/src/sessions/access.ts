// Finds a session of a project: it belongs to the project only if the records list its directory there.
//
// OpenCode answers for any session and directory, so the records decide, not what a caller names.

import { lstat } from 'node:fs/promises'
import type { Session } from '@opencode-ai/sdk/v2'
import { isSwitchyardError, type ProjectStatus, SwitchyardError, sessionIdSchema } from '@switchyard/contracts'
import type { OpenCodeClient, OpenCodeServer, SessionRef } from '@switchyard/opencode'
import {
  dedicatedServerKey,
  findProject,
  listSandboxes,
  listSessionTasks,
  type ProjectRow,
  type SessionTask,
} from '@switchyard/records'
import type { SessionDeps } from './deps.ts'
import { rootOf } from './root.ts'

const USABLE: ReadonlySet<ProjectStatus> = new Set(['ready', 'stopped'])

export type Who = {
  readonly project_id: string
  /** The key that sees only its own tasks; null for an operator. */
  readonly agent: string | null
  /** The id of that key's own server; null: the project's. */
  readonly server: string | null
}

export type OpenProject = {
  readonly row: ProjectRow
  readonly baseDir: string
  /** Names of sandboxes by their paths. */
  readonly sandboxes: ReadonlyMap<string, string>
  readonly server: OpenCodeServer
  readonly client: OpenCodeClient
}

export type OwnSession = {
  readonly project: OpenProject
  readonly session: Session
  readonly place: SessionRef
  readonly task: SessionTask | undefined
  readonly client: OpenCodeClient
}

/** @throws SwitchyardError `project_not_found`, `project_not_ready` */
export const requireProject = async (
  { records }: Pick<SessionDeps, 'records'>,
  { project_id: id }: Pick<Who, 'project_id'>,
): Promise<{ readonly row: ProjectRow; readonly baseDir: string }> => {
  const row = await findProject(records.db, id)
  if (!row?.registered_at) throw new SwitchyardError('project_not_found', `${id} is not registered`)
  if (!USABLE.has(row.status) || row.base_dir === null)
    throw new SwitchyardError('project_not_ready', `${row.url} is ${row.status}`)
  return { row, baseDir: row.base_dir }
}

/**
 * @param server - for the sessions of another server than the caller's
 * @throws SwitchyardError `project_not_found`, `project_not_ready`, `not_supported`
 */
export const openProject = async (deps: SessionDeps, who: Who, server = who.server): Promise<OpenProject> => {
  const { row, baseDir } = await requireProject(deps, who)
  return await onServer(deps, { row, baseDir }, await deps.serverFor({ ...row, server }))
}

/** Returns a project with the sessions that it has on one server. */
export const onServer = async (
  deps: Pick<SessionDeps, 'records'>,
  { row, baseDir }: Pick<OpenProject, 'row' | 'baseDir'>,
  server: OpenCodeServer,
): Promise<OpenProject> => {
  const sandboxes = await listSandboxes(deps.records.db, [row.id])
  return {
    row,
    baseDir,
    sandboxes: new Map(sandboxes.filter((one) => one.is_ready).map((one) => [one.path, one.name])),
    server,
    client: server.client,
  }
}

/** A directory that people work in, not one created for a task. */
const isShared = (project: OpenProject, directory: string): boolean =>
  directory === project.baseDir || project.sandboxes.has(directory)

/** Returns the task of a session: by its root's id, or because its directory was created for the task. */
export const taskOf = (
  project: OpenProject,
  tasks: readonly SessionTask[],
  rootId: string,
  directory: string,
): SessionTask | undefined =>
  tasks.find((task) => task.session_id === rootId) ??
  (isShared(project, directory) ? undefined : tasks.find((task) => task.directory === directory))

/** Returns whether a session belongs to the project and is visible to this caller. */
export const isOwn = (project: OpenProject, who: Who, directory: string, task: SessionTask | undefined): boolean => {
  if (task && who.agent !== null && task.owner_key !== who.agent) return false
  return isShared(project, directory) || task?.project_id === project.row.id
}

const notFound = (id: string): SwitchyardError =>
  new SwitchyardError('session_not_found', `there is no session ${id.slice(0, 80)} in this project`)

const read = async (client: OpenCodeClient, sessionId: string, directory: string, signal: AbortSignal) => {
  try {
    return await client.session({ sessionId, directory }, { signal })
  } catch (error) {
    if (isSwitchyardError(error, 'session_lost')) throw notFound(sessionId)
    throw error
  }
}

/**
 * Returns the server of a session: that of the task which created it, else the caller's. An operator reads the sessions of
 * tasks on every key's server.
 *
 * @throws SwitchyardError `session_not_found` if the task is another agent's
 */
export const serverOfSession = async (
  { records }: Pick<SessionDeps, 'records'>,
  who: Who & { readonly session_id: string },
): Promise<string | null> => {
  const [task] = await listSessionTasks(records.db, { sessionIds: [who.session_id], directories: [] })
  if (!task) return who.server
  if (who.agent !== null && task.owner_key !== who.agent) throw notFound(who.session_id)
  const id = task.server_id
  return id !== null && dedicatedServerKey(id) !== undefined ? id : null
}

/**
 * A session of another project or of another agent's task is reported as not found.
 *
 * @throws SwitchyardError `session_not_found`, `project_not_found`, `project_not_ready`, `opencode_unavailable`
 */
export const openSession = async (
  deps: SessionDeps,
  who: Who & { readonly session_id: string },
  signal: AbortSignal,
): Promise<OwnSession> => {
  // OpenCode answers 400 for text that cannot be an id.
  if (!sessionIdSchema.safeParse(who.session_id).success) throw notFound(who.session_id)
  const project = await openProject(deps, who, await serverOfSession(deps, who))
  const { client } = project
  const session = await read(client, who.session_id, project.baseDir, signal)
  const { id: rootId } = await rootOf(client, session, signal)
  const tasks = await listSessionTasks(deps.records.db, { sessionIds: [rootId], directories: [session.directory] })
  const task = taskOf(project, tasks, rootId, session.directory)
  if (!isOwn(project, who, session.directory, task)) throw notFound(who.session_id)
  return { project, session, place: { sessionId: session.id, directory: session.directory }, task, client }
}

/** @throws SwitchyardError `session_of_task`: an open task's session is steered through the task */
export const requireNoOpenTask = ({ task }: OwnSession): void => {
  if (task && task.completed_at === null)
    throw new SwitchyardError('session_of_task', `the session belongs to ${task.id}, which has not ended`)
}

/**
 * Checks that the directory exists: OpenCode would run the turn in a missing one, as of no project.
 *
 * @throws SwitchyardError `workspace_gone`
 */
export const requireDirectory = async ({ place }: OwnSession): Promise<void> => {
  const found = await lstat(place.directory).catch(() => undefined)
  if (!found?.isDirectory()) throw new SwitchyardError('workspace_gone', `${place.directory} is no longer there`)
}

/**
 * Returns the directory that a caller means: the base checkout, a sandbox by its name, or either by its path.
 *
 * @throws SwitchyardError `sandbox_not_found`: OpenCode would treat any other directory as a root
 */
export const directoryOf = (
  project: OpenProject,
  wanted: { readonly worktree?: string | null; readonly directory?: string | null },
): string => {
  const { worktree, directory } = wanted
  if (typeof worktree === 'string') {
    for (const [path, name] of project.sandboxes) if (name === worktree || path === worktree) return path
    throw new SwitchyardError('sandbox_not_found', `${project.row.url} has no sandbox ${worktree.slice(0, 100)}`)
  }
  if (typeof directory !== 'string' || directory === project.baseDir) return project.baseDir
  if (project.sandboxes.has(directory)) return directory
  throw new SwitchyardError('sandbox_not_found', `${directory.slice(0, 200)} is no directory of ${project.row.url}`)
}
