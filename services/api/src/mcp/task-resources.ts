// Tasks as MCP resources: `switchyard://tasks/{id}` is the record of a task with its last events.

import {
  type ListResourcesResult,
  type ListResourceTemplatesResult,
  type ReadResourceResult,
  ResourceNotFoundError,
} from '@modelcontextprotocol/server'
import { isSwitchyardError } from '@switchyard/contracts'
import type { Caller } from '../access/caller.ts'
import type { TaskService } from '../tasks/service.ts'

const PREFIX = 'switchyard://tasks/'
const MIME_TYPE = 'application/json'
const LAST_EVENTS = 5
const TITLE_LENGTH = 80

export const taskUri = (taskId: string): string => `${PREFIX}${taskId}`

/** @param era - clients of the older protocol cannot subscribe */
export const templatesFor = (era: 'modern' | 'legacy'): ListResourceTemplatesResult => ({
  resourceTemplates: [
    {
      name: 'task',
      title: 'Task',
      uriTemplate: `${PREFIX}{task_id}`,
      description: `The record of a task with its last events.${era === 'modern' ? ' Subscribe to it to be notified of changes.' : ''}`,
      mimeType: MIME_TYPE,
    },
  ],
})

/** Lists the tasks that need input first, then the newest. @throws SwitchyardError `invalid_request` */
export const listTasks = async (
  service: TaskService,
  caller: Caller,
  cursor: string | undefined,
): Promise<ListResourcesResult> => {
  const { tasks, next_cursor: next } = await service.list(caller, { cursor }, true)
  return {
    resources: tasks.map((task) => ({
      uri: taskUri(task.task_id),
      name: task.task_id,
      title: task.task_description.trim().slice(0, TITLE_LENGTH),
      description: `${task.status}, agent ${task.agent_id}`,
      mimeType: MIME_TYPE,
    })),
    ...(next === null ? {} : { nextCursor: next }),
  }
}

/** @throws ResourceNotFoundError also for another key's task; SwitchyardError `database_unavailable` */
export const readTask = async (
  service: TaskService,
  caller: Caller,
  uri: string,
  signal: AbortSignal,
): Promise<ReadResourceResult> => {
  if (!uri.startsWith(PREFIX)) throw new ResourceNotFoundError(uri)
  try {
    const task = await service.get(caller, uri.slice(PREFIX.length), 0, signal)
    const events = await service.lastEvents(task, LAST_EVENTS)
    return { contents: [{ uri, mimeType: MIME_TYPE, text: JSON.stringify({ ...task, events }) }] }
  } catch (error) {
    if (isSwitchyardError(error, 'task_not_found')) throw new ResourceNotFoundError(uri)
    throw error
  }
}
