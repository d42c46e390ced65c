// Decides which prompt a task's next container gets: the task's own, the messages of callers, or
// the one that continues an interrupted turn. The id of a prompt is recorded before its container
// is created, and the container is labelled with it.

import { SwitchyardError } from '@switchyard/contracts'
import { newMessageId } from '@switchyard/opencode'
import {
  choosePromptId,
  lastDeliveredPrompt,
  type MessageRow,
  markPromptDelivered,
  movePrompt,
  undeliveredMessages,
} from '@switchyard/records'
import { CONTINUE, messageText } from '../prompt-texts.ts'
import { MAX_RECOVERIES } from '../recovery-limit.ts'
import type { RunRecord } from '../run-record.ts'
import type { ContainerDirectory } from './container-directory.ts'

export type Prompt = { readonly id: string; readonly text: string }

export class TaskPrompts {
  readonly #record: RunRecord
  readonly #directory: ContainerDirectory
  /** Prompts whose containers have ended and are read. */
  readonly #ended = new Set<string>()
  /** Prompts that the session has. */
  readonly #received = new Set<string>()
  /** Prompts whose containers were created and not started. */
  readonly #unstarted = new Set<string>()

  constructor(record: RunRecord, directory: ContainerDirectory) {
    this.#record = record
    this.#directory = directory
  }

  /** The container of this prompt has ended and is read. */
  markEnded(id: string): void {
    this.#ended.add(id)
  }

  /** The container of this prompt was created and not started. */
  markUnstarted(id: string): void {
    this.#unstarted.add(id)
  }

  /**
   * The session has this prompt, so the messages in it are delivered. A container can end before it
   * stores its prompt.
   */
  async markReceived(id: string): Promise<void> {
    if (this.#received.has(id)) return
    await markPromptDelivered(this.#record.db, this.#record.row.id, id)
    this.#received.add(id)
  }

  /**
   * Returns one prompt with all messages of callers that the session does not have, or null if it
   * has all of them.
   */
  async fromCallers(): Promise<Prompt | null> {
    const { db, row } = this.#record
    const waiting = await undeliveredMessages(db, row.id)
    const [first] = waiting
    if (!first) return null
    const id = first.prompt_id ?? newMessageId()
    const messages = waiting.filter((message) => message.prompt_id === first.prompt_id)
    for (const message of messages) await choosePromptId(db, message.id, id)
    return toPrompt(id, messages)
  }

  /**
   * Returns whether the session has a prompt that is newer than those whose containers were read:
   * its own container was removed. Ids rise with time.
   */
  async isLastLost(): Promise<boolean> {
    const last = await lastDeliveredPrompt(this.#record.db, this.#record.row.id)
    return last !== null && [...this.#ended].every((id) => id < last)
  }

  /**
   * Returns the task's own prompt if no container has had it. After an interruption it returns the
   * messages that the session did not receive, or else the prompt to continue; without a session
   * the task starts again.
   *
   * @param how - how the last container was interrupted, for the event.
   * @throws SwitchyardError `attempts_exhausted`
   */
  async next(how: string): Promise<Prompt> {
    const { prompt_id: recorded } = this.#record.row
    if (recorded === null) throw new Error('the prompt id is not recorded')
    if (!(await this.#mayHaveRun(recorded))) return this.#own(recorded)
    const id = newMessageId()
    const lost = await this.#notReceived()
    if (!lost) {
      await this.#recordRecovery(id, how, { prompt_id: id })
      return this.#own(id)
    }
    await this.#recordRecovery(id, how, {})
    await movePrompt(this.#record.db, this.#record.row.id, lost.id, id)
    return { ...lost, id }
  }

  #own(id: string): Prompt {
    const { description, session_id: sessionId } = this.#record.row
    return { id, text: sessionId === null ? description : CONTINUE }
  }

  /**
   * Its container was read, or may have been removed: a prompt is written before its container
   * starts.
   */
  async #mayHaveRun(id: string): Promise<boolean> {
    if (this.#ended.has(id)) return true
    return !this.#unstarted.has(id) && (await this.#directory.hasPrompt(id))
  }

  /** Returns the messages whose container ended before the session had them. */
  async #notReceived(): Promise<Prompt | null> {
    const { db, row } = this.#record
    const messages = (await undeliveredMessages(db, row.id)).filter(
      ({ prompt_id: id }) => id !== null && this.#ended.has(id),
    )
    const id = messages[0]?.prompt_id
    if (!id) return null
    return toPrompt(
      id,
      messages.filter((message) => message.prompt_id === id),
    )
  }

  async #recordRecovery(id: string, how: string, set: { readonly prompt_id?: string }): Promise<void> {
    const { recoveries, session_id: sessionId } = this.#record.row
    if (recoveries >= MAX_RECOVERIES)
      throw new SwitchyardError('attempts_exhausted', `the container was interrupted ${recoveries} times (${how})`)
    const next = sessionId === null ? 'the task starts again' : 'the task continues in the same session'
    await this.#record.write({
      set: { ...set, recoveries: recoveries + 1 },
      events: [
        {
          type: 'task_recovered',
          message: `the container was interrupted (${how}); ${next}`,
          source_key: `recovered:${id}`,
          data: { recovery: recoveries + 1, of: MAX_RECOVERIES, found: how },
        },
      ],
    })
  }
}

const toPrompt = (id: string, messages: readonly MessageRow[]): Prompt => ({
  id,
  text: messages.map(messageText).join('\n\n'),
})
