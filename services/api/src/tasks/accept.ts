// Accepts a task: checks it, writes its row in one statement, and enqueues it.

import { type ExecuteTask, newTaskId, SwitchyardError, type Task } from '@switchyard/contracts'
import { acceptTask, findByIdempotencyKey, findSandbox, type TaskRow, toRecords, toTask } from '@switchyard/records'
import { type Caller, requireOperator } from '../access/caller.ts'
import { requireMayName } from '../access/local-paths.ts'
import { ownerServerOf } from '../access/owner-server.ts'
import { resolveProject } from '../access/project-names.ts'
import { mayUse } from '../access/projects.ts'
import type { Decision } from '../rollout/decide.ts'
import { checkBranch } from '../validation/branch.ts'
import { checkModel } from '../validation/model.ts'
import type { TaskDeps } from './deps.ts'
import { requestHash } from './request-hash.ts'

/** Limit of the wait for the queue, ms. The row is already written; a sweeper enqueues tasks that are missing. */
const QUEUE_WAIT_MS = 1_000

const DEFAULT_PRIORITY = 5

export type AcceptedTask = { readonly task: Task; readonly created: boolean }

const invalid = (fields: readonly string[], why: string): SwitchyardError =>
  new SwitchyardError('invalid_request', `${fields.join(', ')}: ${why}`, {
    context: { errors: fields.map((path) => ({ path, message: why })) },
  })

const checkCombination = (caller: Caller, input: ExecuteTask): void => {
  if (input.mode !== undefined) requireOperator(caller, 'setting mode')
  const projectFields = (['branch', 'base_branch', 'sandbox'] as const).filter((name) => input[name] !== undefined)
  if (input.project === undefined && projectFields.length > 0) throw invalid(projectFields, 'requires project')
  if (input.sandbox !== undefined && projectFields.length > 1)
    throw invalid(['sandbox'], 'cannot be combined with branch or base_branch')
}

const enqueue = async (deps: TaskDeps, task: TaskRow): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no response within ${QUEUE_WAIT_MS} ms`)), QUEUE_WAIT_MS)
  })
  const added = deps.queue.add(task)
  try {
    await Promise.race([added, late])
  } catch (error) {
    added.catch(() => {})
    const err = error instanceof Error ? error.message : String(error)
    deps.logger.warn({ task_id: task.id, err }, 'task accepted but not enqueued; the sweeper will enqueue it')
  } finally {
    clearTimeout(timer)
  }
}

/** @throws SwitchyardError `sandbox_not_found` */
const findSandboxFor = async ({ records }: TaskDeps, projectId: string | undefined, name: string | undefined) => {
  if (projectId === undefined || name === undefined) return undefined
  const found = await findSandbox(records.db, projectId, name)
  if (!found?.is_ready) throw new SwitchyardError('sandbox_not_found', `the project has no sandbox ${name}`)
  return found
}

/** Returns the task that an earlier call with this key created. @throws SwitchyardError `idempotency_conflict` */
const findRepeated = async (deps: TaskDeps, row: TaskRow, hash: string): Promise<AcceptedTask> => {
  if (row.request_hash !== hash)
    throw new SwitchyardError(
      'idempotency_conflict',
      `idempotency_key ${JSON.stringify(row.idempotency_key)} created ${row.id} with different arguments`,
      { context: { task_id: row.id } },
    )
  const [task] = await toRecords(deps.records.db, [row])
  return { task: task ?? toTask(row, []), created: false }
}

/**
 * Accepts a task, or returns the one that an earlier call with the same `idempotency_key` created. An unavailable queue is not
 * an error, because the task is in the database.
 *
 * @throws SwitchyardError `idempotency_conflict`, `forbidden`, `not_supported`, `invalid_request`, `invalid_model`,
 *   `queue_full`, `invalid_project`, `invalid_branch`, `model_not_found`, `agent_not_found`, `no_model_configured`,
 *   `database_unavailable`, `disk_full`
 */
export const accept = async (deps: TaskDeps, caller: Caller, input: ExecuteTask): Promise<AcceptedTask> => {
  checkCombination(caller, input)
  const { config, records } = deps
  const requestedModel = input.model === undefined ? undefined : checkModel(input.model)
  const agent = input.agent ?? null
  const branch = input.branch === undefined ? null : checkBranch('branch', input.branch)
  const baseBranch = input.base_branch === undefined ? null : checkBranch('base_branch', input.base_branch)
  const project = input.project === undefined ? null : await resolveProject(records, input.project)
  if (project) requireMayName(caller, project.url, project.row)
  if (project && !mayUse(caller, project.row))
    throw new SwitchyardError('forbidden', `${project.url} is a project of another key`)
  const model = requestedModel ?? project?.row?.model ?? config.tasks.defaultModel ?? null
  const sandbox = await findSandboxFor(deps, project?.id, input.sandbox)
  const priority = input.priority ?? DEFAULT_PRIORITY
  const hash = requestHash(input)
  const id = newTaskId()
  const namedAgent = input.agent_id ?? caller.agentId
  const agentId = namedAgent ?? caller.name
  let decision: Decision
  try {
    await deps.backlog.check()
    const unsupportedByDocker =
      input.permissions === 'ask'
        ? 'permissions "ask", because a container cannot send requests'
        : sandbox
          ? "a sandbox, because a container sees only its own task's directory"
          : undefined
    decision = await deps.rollout.decide({ subject: namedAgent ?? id, requestedMode: input.mode, unsupportedByDocker })
    // The catalog describes OpenCode servers. A container has the models and agents of its image.
    if (!project && decision.mode === 'opencode') await deps.catalog.check({ model, agent })
  } catch (error) {
    // A repeated call returns its first task even if the queue is full now or the model is gone.
    const key = input.idempotency_key
    const first = key === undefined ? undefined : await findByIdempotencyKey(records.db, caller.name, agentId, key)
    if (first) return await findRepeated(deps, first, hash)
    throw error
  }
  const { row, created } = await acceptTask(records.db, {
    id,
    agent_id: agentId,
    owner_key: caller.name,
    mode: decision.mode,
    mode_reason: decision.reason,
    mode_detail: decision.detail,
    pool: decision.pool,
    description: input.task_description,
    idempotency_key: input.idempotency_key ?? null,
    request_hash: hash,
    project_id: project?.id ?? null,
    project,
    base_branch: baseBranch,
    branch,
    sandbox: sandbox?.name ?? null,
    model,
    variant: input.variant ?? null,
    agent,
    permissions: input.permissions ?? 'allow',
    priority,
    observers: input.observers ?? [],
    callback_url: input.callback_url ?? null,
    metadata: input.metadata ?? {},
    timeout_ms:
      input.timeout_ms ?? (decision.mode === 'docker' ? config.docker.timeoutMs : undefined) ?? config.tasks.timeoutMs,
    deadline: new Date(Date.now() + config.tasks.queueTimeoutMs),
    server_id: decision.mode === 'opencode' ? ownerServerOf(config, caller, project?.row) : null,
  })
  if (!created) return await findRepeated(deps, row, hash)
  deps.metrics.accepted.inc()
  deps.metrics.decisions.inc({ mode: decision.mode, pool: decision.pool ?? '', reason: decision.reason })
  await enqueue(deps, row)
  return { task: toTask(row, []), created: true }
}
