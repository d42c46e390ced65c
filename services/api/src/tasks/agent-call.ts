// Notes what the agent behind a task learns in calls of its own, so that the notifier does not tell it the same again. Only
// agents that the notifier would tell: those of Letta.

import type { Logger } from '@switchyard/config'
import { isTerminal, LETTA_AGENT_ID, type Task } from '@switchyard/contracts'
import { beginAgentCall, endAgentCall, noteSeen, type Records } from '@switchyard/records'
import type { Caller } from '../access/caller.ts'

/** Beyond the wait itself: reading the record and answering, ms. An api that died holds no message up for longer. */
const ANSWER_MS = 5_000

type Deps = { readonly records: Records; readonly logger: Logger }

/** The key made the task, and what it says of the calling agent is no other's name. */
const speaksFor = (caller: Caller, task: Pick<Task, 'agent_id'>, ownerKey: string): boolean =>
  caller.name === ownerKey && (caller.agentId === undefined || caller.agentId === task.agent_id)

/** Sends nobody away: without the note the agent is told once more than needed. */
const quietly = async <T>({ logger }: Deps, task: Pick<Task, 'task_id'>, note: () => Promise<T>) => {
  try {
    return await note()
  } catch (error) {
    logger.warn({ task_id: task.task_id, err: error }, 'what an agent has read was not noted; it is told again')
    return undefined
  }
}

const hasSomethingToTell = (task: Task): boolean => isTerminal(task.status) || task.status === 'input_required'

/**
 * Runs a wait of the agent's own call; while it lasts the agent is not told of that task.
 *
 * @param ownerKey - the key that made the task.
 * @param work - gives the record that the call answers with.
 * @param signal - the caller's connection: who has gone has read nothing.
 */
export const withinAgentCall = async (
  deps: Deps,
  caller: Caller,
  task: Pick<Task, 'task_id' | 'agent_id'>,
  ownerKey: string,
  waitMs: number,
  signal: AbortSignal | undefined,
  work: () => Promise<Task | undefined>,
): Promise<Task | undefined> => {
  if (!LETTA_AGENT_ID.test(task.agent_id) || !speaksFor(caller, task, ownerKey)) return await work()
  const { db } = deps.records
  const call = await quietly(deps, task, () => beginAgentCall(db, task.task_id, waitMs + ANSWER_MS))
  let answer: Task | undefined
  try {
    answer = await work()
    return answer
  } finally {
    const seen = answer && hasSomethingToTell(answer) && !signal?.aborted ? answer.last_seq : null
    if (call !== undefined) await quietly(deps, task, () => endAgentCall(db, call, seen))
  }
}

/** An agent that says who it is has read the record without a wait. */
export const noteAgentRead = async (deps: Deps, caller: Caller, task: Task): Promise<void> => {
  if (caller.agentId !== task.agent_id || !LETTA_AGENT_ID.test(task.agent_id) || !hasSomethingToTell(task)) return
  await quietly(deps, task, () => noteSeen(deps.records.db, task.task_id, task.last_seq))
}
