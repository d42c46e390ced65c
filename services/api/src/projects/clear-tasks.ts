// Before a place goes or stops, the tasks that work in it: they are a reason to refuse, or are cancelled.

import { OPEN_STATUSES, SwitchyardError } from '@switchyard/contracts'
import { countTasksOfOthers, listTasks, type ProjectRow } from '@switchyard/records'
import type { Caller } from '../access/caller.ts'
import type { ProjectDeps } from './deps.ts'

const BATCH = 100
/** How long a cancelled task may take to end, ms. */
const END_MS = 15_000

/**
 * For a caller who may not decide over others' work. It does not learn which tasks they are.
 *
 * @param sandbox - only those that work in it
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
      hint: 'Call again when they have ended, or ask the project’s owner or an operator.',
    },
  )
}

/**
 * @param sandbox - only those that work in it
 * @param force - cancel them instead of refusing
 * @throws SwitchyardError `project_busy`
 */
export const clearTasks = async (
  deps: ProjectDeps,
  caller: Caller,
  project: ProjectRow,
  options: { readonly sandbox?: string; readonly force: boolean; readonly signal: AbortSignal | undefined },
): Promise<void> => {
  const { sandbox, force, signal } = options
  const filter = { project_id: project.id, status: OPEN_STATUSES, ...(sandbox === undefined ? {} : { sandbox }) }
  const page = { limit: BATCH, after: null, waitingFirst: false }
  const until = Date.now() + END_MS
  for (;;) {
    const { tasks } = await listTasks(deps.records.db, filter, page)
    if (tasks.length === 0) return
    const [first] = tasks
    const what = `${tasks.length} of its tasks ${tasks.length === 1 ? 'has' : 'have'} not ended, such as ${first?.task_id}`
    if (!force) throw new SwitchyardError('project_busy', what)
    // Whoever may decide over the place may end what works in it, whosever it is: the caller of this has looked.
    const operator: Caller = { ...caller, role: 'operator' }
    const reason = sandbox === undefined ? 'its project is destroyed' : `sandbox ${sandbox} goes`
    for (const task of tasks) await deps.tasks.control(operator, task.task_id, { control: 'cancel', reason }, signal)
    if (Date.now() > until) throw new SwitchyardError('project_busy', `${what}; they are being cancelled`)
  }
}
