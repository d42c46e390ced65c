// Records what an agent has read about its tasks through its own calls, so that the notifier does not notify it of the
// same. Only Letta agents, because the notifier notifies no others.

import type { Logger } from '@switchyard/config'
import { isTerminal, LETTA_AGENT_ID, type Task } from '@switchyard/contracts'
import { beginAgentCall, endAgentCall, noteSeen, type Records } from '@switchyard/records'
import type { Caller } from '../access/caller.ts'

/**
 * Time added to the wait of a call for reading and sending the record, ms. It also limits how long notifications are held
 * back if the api dies during the call.
 */
const RESPONSE_MS = 5_000

type Deps = { readonly records: Records; readonly logger: Logger }

/** Returns whether the call comes from the task's agent: it uses the same key and names no other agent. */
const isFromAgent = (caller: Caller, task: Pick<Task, 'agent_id'>, ownerKey: string): boolean =>
  caller.name === ownerKey && (caller.agentId === undefined || caller.agentId === task.agent_id)

/** Logs a failure instead of failing the call. The worst effect is an unnecessary notification. */
const tryRecord = async <T>({ logger }: Deps, task: Pick<Task, 'task_id'>, write: () => Promise<T>) => {
  try {
    return await write()
  } catch (error) {
    logger.warn(
      { task_id: task.task_id, err: error },
      'failed to record what an agent has read; it will be notified again',
    )
    return undefined
  }
}

const isNotifiable = (task: Task): boolean => isTerminal(task.status) || task.status === 'input_required'

/**
 * Runs the wait of a call. If the caller is the task's agent, its notifications about the task are held back meanwhile.
 *
 * @param ownerKey - the key that created the task
 * @param work - returns the record that the call returns
 * @param signal - aborts when the caller disconnects, which means that it has read nothing
 */
export const trackAgentCall = async (
  deps: Deps,
  caller: Caller,
  task: Pick<Task, 'task_id' | 'agent_id'>,
  ownerKey: string,
  waitMs: number,
  signal: AbortSignal | undefined,
  work: () => Promise<Task | undefined>,
): Promise<Task | undefined> => {
  if (!LETTA_AGENT_ID.test(task.agent_id) || !isFromAgent(caller, task, ownerKey)) return await work()
  const { db } = deps.records
  const call = await tryRecord(deps, task, () => beginAgentCall(db, task.task_id, waitMs + RESPONSE_MS))
  let answer: Task | undefined
  try {
    answer = await work()
    return answer
  } finally {
    const seen = answer && isNotifiable(answer) && !signal?.aborted ? answer.last_seq : null
    if (call !== undefined) await tryRecord(deps, task, () => endAgentCall(db, call, seen))
  }
}

/** Records that the task's agent has read the record in a call without a wait. */
export const recordAgentRead = async (deps: Deps, caller: Caller, task: Task): Promise<void> => {
  if (caller.agentId !== task.agent_id || !LETTA_AGENT_ID.test(task.agent_id) || !isNotifiable(task)) return
  await tryRecord(deps, task, () => noteSeen(deps.records.db, task.task_id, task.last_seq))
}
