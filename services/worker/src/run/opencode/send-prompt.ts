// Sends prompts to a task's session, each of them once: its message id is chosen before it is sent.

import { SwitchyardError } from '@switchyard/contracts'
import { newMessageId, type TurnEnd } from '@switchyard/opencode'
import { CONTINUE } from '../prompt-texts.ts'
import { MAX_RECOVERIES } from '../recovery-limit.ts'
import type { TaskSession } from './task-session.ts'

/**
 * Sends a prompt.
 *
 * @param mayBeSent - it may have been sent before: the session is searched for its message first.
 */
export const sendOnce = async (
  { server, ref, promptOptions, signal }: TaskSession,
  prompt: { readonly messageId: string; readonly text: string },
  mayBeSent: boolean,
): Promise<void> => {
  if (mayBeSent && (await server.client.message({ ...ref, messageId: prompt.messageId }, { signal }))) return
  await server.client.promptAsync({ ...ref, ...promptOptions, ...prompt }, { signal })
}

/**
 * Sends the prompt whose id is recorded: the task's own, or the one that resumes an interrupted
 * turn.
 */
export const sendRecordedPrompt = async (session: TaskSession, mayBeSent: boolean): Promise<void> => {
  const { prompt_id: messageId, recoveries, description } = session.record.row
  if (messageId === null) throw new Error('the prompt id is not recorded')
  await sendOnce(session, { messageId, text: recoveries > 0 ? CONTINUE : description }, mayBeSent)
}

/**
 * Resumes an interrupted turn in the same session.
 *
 * @param end - how the turn was found.
 * @throws SwitchyardError `attempts_exhausted`
 */
export const resumeTurn = async (session: TaskSession, end: TurnEnd): Promise<void> => {
  const { record } = session
  const { recoveries } = record.row
  if (recoveries >= MAX_RECOVERIES)
    throw new SwitchyardError('attempts_exhausted', `the turn was interrupted ${recoveries} times`)
  const promptId = newMessageId()
  await record.write({
    set: { prompt_id: promptId, recoveries: recoveries + 1 },
    events: [
      {
        type: 'task_recovered',
        message: 'the turn was interrupted; it continues in the same session',
        source_key: `recovered:${promptId}`,
        data: { recovery: recoveries + 1, of: MAX_RECOVERIES, found: end },
      },
    ],
  })
  await sendRecordedPrompt(session, false)
}
