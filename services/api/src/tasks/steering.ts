// Messages, controls and replies of a caller to its tasks.

import type { Replied, Reply, SendControl, SendMessage, SentControl, SentMessage } from '@switchyard/contracts'
import { answerRequest, controlTask, type SteeringDeps, sendTaskMessage } from '@switchyard/steering'
import type { Caller } from '../access/caller.ts'
import { findAccessibleTask } from '../access/tasks.ts'
import type { TaskDeps } from './deps.ts'
import { waitUntil } from './wait-until.ts'

const nameOf = (caller: Caller): string => caller.agentId ?? caller.name

/** @param signal - aborts when the caller disconnects, which ends the wait */
const steeringDeps = (
  { records, bus, queue, logger, feeds }: TaskDeps,
  signal: AbortSignal | undefined,
): SteeringDeps => ({
  records,
  bus,
  queue,
  logger,
  wait: (id, limits, read) => waitUntil({ id, feeds, signal, ...limits }, read),
})

/** @throws SwitchyardError `task_not_found`, `task_ended`, `database_unavailable` */
export const message = async (
  deps: TaskDeps,
  caller: Caller,
  id: string,
  input: SendMessage,
  signal: AbortSignal | undefined,
): Promise<SentMessage> => {
  const row = await findAccessibleTask(deps.records, caller, id)
  return await sendTaskMessage(steeringDeps(deps, signal), { by: nameOf(caller) }, row, input)
}

/** As `controlTask`. @throws SwitchyardError `task_not_found`, `database_unavailable` */
export const control = async (
  deps: TaskDeps,
  caller: Caller,
  id: string,
  input: SendControl,
  signal: AbortSignal | undefined,
): Promise<SentControl> => {
  const row = await findAccessibleTask(deps.records, caller, id)
  return await controlTask(steeringDeps(deps, signal), { by: nameOf(caller) }, row, input)
}

/** As `answerRequest`. @throws SwitchyardError `task_not_found` as well */
export const reply = async (
  deps: TaskDeps,
  caller: Caller,
  id: string,
  requestId: string,
  input: Reply,
): Promise<Replied> => {
  const row = await findAccessibleTask(deps.records, caller, id)
  return await answerRequest(deps, { by: nameOf(caller) }, row, requestId, input)
}
