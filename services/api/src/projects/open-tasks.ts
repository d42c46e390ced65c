// Checks a project or sandbox for open tasks before it is stopped or deleted, and cancels them if the caller forces it.

import { OPEN_STATUSES, SwitchyardError } from '@switchyard/contracts'
import { countTasksOfOthers, listTasks, type ProjectRow } from '@switchyard/records'
import type { Caller } from '../access/caller.ts'
import type { ProjectDeps } from './deps.ts'

const BATCH = 100
/** Limit of the wait for cancelled tasks to end, ms. */
const CANCEL_WAIT_MS = 15_000

/**
 * Refuses if the project has open tasks of other keys. The error does not reveal which tasks they are.
 *
 * @param sandbox - only counts tasks in this sandbox
 * @throws SwitchyardError `project_busy`
 */
export const requireNoTasksOfOthers = async (
  { records }: ProjectDeps,
  caller: Caller,
  project: ProjectRow,
  sandbox?: string,
): Promise<void> => {
  const count = await countTasksOfOthers(records.db, { project_id: project.id, sandbox }, caller.name)
  if (count === 0) return
  const where = sandbox === undefined ? project.url : `sandbox ${sandbox}`
  throw new SwitchyardError(
    'project_busy',
    `${count} open ${count === 1 ? 'task' : 'tasks'} of other keys in ${where}`,
    {
      hint: 'Call again when they have ended, or ask the project owner or an operator.',
    },
  )
}

/**
 * Returns once there are no open tasks: refuses if there are any, or cancels them with `force`.
 *
 * @param options - `sandbox` limits this to the tasks in one sandbox
 * @throws SwitchyardError `project_busy`
 */
export const ensureNoOpenTasks = async (
  deps: ProjectDeps,
  caller: Caller,
  project: ProjectRow,
  options: { readonly sandbox?: string; readonly force: boolean; readonly signal: AbortSignal | undefined },
): Promise<void> => {
  const { sandbox, force, signal } = options
  const filter = { project_id: project.id, status: OPEN_STATUSES, ...(sandbox === undefined ? {} : { sandbox }) }
  const page = { limit: BATCH, after: null, waitingFirst: false }
  const deadline = Date.now() + CANCEL_WAIT_MS
  for (;;) {
    const { tasks } = await listTasks(deps.records.db, filter, page)
    if (tasks.length === 0) return
    const [first] = tasks
    const what = `${tasks.length} open ${tasks.length === 1 ? 'task' : 'tasks'}, for example ${first?.task_id}`
    if (!force) throw new SwitchyardError('project_busy', what)
    // The caller's right to change the project was checked before; it includes the tasks of other keys.
    const operator: Caller = { ...caller, role: 'operator' }
    const reason =
      sandbox === undefined ? 'the project is being destroyed' : `sandbox ${sandbox} is being deleted or reset`
    for (const task of tasks) await deps.tasks.control(operator, task.task_id, { control: 'cancel', reason }, signal)
    if (Date.now() > deadline) throw new SwitchyardError('project_busy', `${what}; being cancelled`)
  }
}
