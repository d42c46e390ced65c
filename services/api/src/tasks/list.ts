// Lists tasks in pages. The cursor is opaque to callers.

import { LIMITS, type Status, SwitchyardError, statusSchema, type Task, taskIdSchema } from '@switchyard/contracts'
import { type ListCursor, listTasks } from '@switchyard/records'
import { z } from 'zod'
import { type Caller, ownerFilter } from '../access/caller.ts'
import { toProjectId } from '../access/project-names.ts'
import type { TaskDeps } from './deps.ts'

const cursorSchema = z.strictObject({ id: taskIdSchema, waiting: z.boolean() })

const parseCursor = (text: string): ListCursor => {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')))
  } catch {
    throw new SwitchyardError('invalid_request', 'cursor: is not a next_cursor of a list', {
      context: { errors: [{ path: 'cursor', message: 'is not a next_cursor of a list' }] },
    })
  }
}

const formatCursor = (cursor: ListCursor): string => Buffer.from(JSON.stringify(cursor)).toString('base64url')

/** One status, or several separated by commas. */
export const statusesSchema = z
  .string()
  .transform((text) => text.split(',').map((part) => part.trim()))
  .pipe(z.array(statusSchema).min(1))

const DEFAULT_LIST_PAGE = 50

export type ListQuery = {
  readonly status?: readonly Status[] | undefined
  readonly agent_id?: string | undefined
  /** A project id, a git URL or a local path. */
  readonly project?: string | undefined
  readonly q?: string | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export type TaskList = { readonly tasks: Task[]; readonly next_cursor: string | null }

/**
 * Returns the tasks that the caller may see, newest first.
 *
 * @param waitingFirst - returns tasks that need input before all others
 * @throws SwitchyardError `invalid_request`, `invalid_project`, `database_unavailable`
 */
export const list = async (
  deps: TaskDeps,
  caller: Caller,
  query: ListQuery,
  waitingFirst: boolean,
): Promise<TaskList> => {
  const { tasks, next } = await listTasks(
    deps.records.db,
    {
      ...ownerFilter(caller),
      ...(query.status ? { status: query.status } : {}),
      ...(query.agent_id !== undefined ? { agent_id: query.agent_id } : {}),
      ...(query.project !== undefined ? { project_id: toProjectId(query.project) } : {}),
      ...(query.q !== undefined ? { q: query.q } : {}),
    },
    {
      limit: Math.min(query.limit ?? DEFAULT_LIST_PAGE, LIMITS.listPage),
      after: query.cursor === undefined ? null : parseCursor(query.cursor),
      waitingFirst,
    },
  )
  return { tasks: [...tasks], next_cursor: next && formatCursor(next) }
}
