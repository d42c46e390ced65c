// Before a place goes, the tasks that work in it: they are a reason to refuse, or are cancelled.

import { OPEN_STATUSES, SwitchyardError } from '@switchyard/contracts'
import { listTasks, type ProjectRow } from '@switchyard/records'
import type { Caller } from '../caller.ts'
import type { ProjectDeps } from './deps.ts'

const BATCH = 100
/** How long a cancelled task may take to end, ms. */
const END_MS = 15_000

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
    // Whoever may destroy a project may end what works in it, whosever it is.
    const operator: Caller = { ...caller, role: 'operator' }
    const reason = sandbox === undefined ? 'its project is destroyed' : `sandbox ${sandbox} goes`
    for (const task of tasks) await deps.tasks.control(operator, task.task_id, { control: 'cancel', reason }, signal)
    if (Date.now() > until) throw new SwitchyardError('project_busy', `${what}; they are being cancelled`)
  }
}
