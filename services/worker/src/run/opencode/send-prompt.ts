// Sends prompts to a task's session, each of them once: its message id is chosen before it is sent.

import { SwitchyardError } from '@switchyard/contracts'
import { newMessageId, type TurnEnd } from '@switchyard/opencode'
import { clearSuspicion, type Patch } from '@switchyard/records'
import { CONTINUE } from '../prompt-texts.ts'
import { MAX_RECOVERIES } from '../recovery-limit.ts'
import type { RunRecord } from '../run-record.ts'
import { outcomeOfInterruption } from './server-deaths.ts'
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

export type Interruption = {
  /** How the turn was found. */
  readonly end: TurnEnd
  /** Whether its server died. Another task may have killed it, so that does not count as an attempt. */
  readonly isServerDeath: boolean
}

/**
 * Resumes an interrupted turn in the same session.
 *
 * @returns false if the task has to run alone first; its prompt is not sent then.
 * @throws SwitchyardError `attempts_exhausted`; `server_killed`
 */
export const resumeTurn = async (session: TaskSession, interruption: Interruption): Promise<boolean> => {
  const { record } = session
  // Another run may have cleared the suspicion meanwhile.
  await record.refresh()
  const { recoveries, server_deaths, suspicious_deaths } = record.row
  const death = interruption.isServerDeath ? 1 : 0
  const deaths = { server_deaths: server_deaths + death, suspicious_deaths: suspicious_deaths + death }
  switch (outcomeOfInterruption(record.row, deaths.suspicious_deaths, interruption.isServerDeath)) {
    case 'server_killed':
      await record.untilAvailable(() => clearSuspicion(record.db, record.row))
      throw new SwitchyardError(
        'server_killed',
        `the OpenCode server died ${deaths.server_deaths} times while this task ran, the last time while it ran alone`,
      )
    case 'run_alone':
      await record.write({ set: deaths })
      return false
    case 'resume':
      if (death === 0 && recoveries - server_deaths >= MAX_RECOVERIES)
        throw new SwitchyardError('attempts_exhausted', `the turn was interrupted ${recoveries} times`)
      await recordResumption(record, 'the turn was interrupted; it continues in the same session', {
        set: deaths,
        data: { found: interruption.end },
      })
      await sendRecordedPrompt(session, false)
      return true
  }
}

/** Records the prompt that resumes the turn. `sendRecordedPrompt` sends it. */
export const recordResumption = async (
  record: RunRecord,
  message: string,
  { set, data }: { readonly set: Patch; readonly data: Readonly<Record<string, unknown>> },
): Promise<void> => {
  const promptId = newMessageId()
  const recoveries = record.row.recoveries + 1
  const deaths = set.server_deaths ?? record.row.server_deaths
  await record.write({
    set: { ...set, prompt_id: promptId, recoveries },
    events: [
      {
        type: 'task_recovered',
        message,
        source_key: `recovered:${promptId}`,
        data: { recovery: recoveries, of: MAX_RECOVERIES + Number(deaths), ...data },
      },
    ],
  })
}
