// Which prompt is next: the task's own, what callers have said since, or the word to go on after an interruption. Each has an
// id that is recorded before its container is made, so that whoever comes later knows it by its label.

import { SwitchyardError } from '@switchyard/contracts'
import { newMessageId } from '@switchyard/opencode'
import { choosePromptId, type MessageRow, markDelivered, undeliveredMessages } from '@switchyard/records'
import type { RunRecord } from '../record.ts'
import { CONTINUE } from '../session.ts'
import { textOf } from '../steering.ts'

export type Prompt = {
  readonly id: string
  readonly text: string
  /** The callers' messages that it holds. */
  readonly messages: readonly MessageRow[]
}

const MAX_RECOVERIES = 5

export class Prompts {
  readonly #record: RunRecord
  /** Prompts whose containers have been read to their end. */
  readonly #answered = new Set<string>()

  constructor(record: RunRecord) {
    this.#record = record
  }

  answered(id: string): void {
    this.#answered.add(id)
  }

  /** The task's own prompt, for the first container. */
  first(): Prompt {
    const { prompt_id: id, description, session_id: sessionId } = this.#record.row
    if (id === null) throw new Error('a prompt id is recorded before a container is made')
    return { id, text: sessionId === null ? description : CONTINUE, messages: [] }
  }

  /**
   * What callers have said and the session does not have: one prompt for all of it.
   *
   * @returns null where there is nothing.
   */
  async fromCallers(): Promise<Prompt | null> {
    const { db } = this.#record
    const waiting: MessageRow[] = []
    // The container was there: the session has it.
    for (const message of await undeliveredMessages(db, this.#record.row.id))
      if (message.prompt_id !== null && this.#answered.has(message.prompt_id)) await markDelivered(db, message.id)
      else waiting.push(message)
    const [first] = waiting
    if (!first) return null
    const id = first.prompt_id ?? newMessageId()
    const messages = waiting.filter((message) => message.prompt_id === first.prompt_id)
    for (const message of messages) await choosePromptId(db, message.id, id)
    return { id, text: messages.map(textOf).join('\n\n'), messages }
  }

  async delivered(prompt: Prompt): Promise<void> {
    for (const message of prompt.messages) await markDelivered(this.#record.db, message.id)
  }

  /**
   * After an interruption: in the same session, or from the beginning where there is none yet.
   *
   * @throws SwitchyardError `attempts_exhausted`
   */
  async again(how: string): Promise<Prompt> {
    const { prompt_id: recorded, recoveries } = this.#record.row
    // Recorded by an owner that did not come to make its container.
    if (recorded !== null && !this.#answered.has(recorded)) return this.first()
    if (recoveries >= MAX_RECOVERIES)
      throw new SwitchyardError('attempts_exhausted', `the container was interrupted ${recoveries} times (${how})`)
    const id = newMessageId()
    await this.#record.write({
      set: { prompt_id: id, recoveries: recoveries + 1 },
      events: [
        {
          type: 'task_recovered',
          message: `the container was interrupted (${how}); the task continues in the same session`,
          source_key: `recovered:${id}`,
          data: { recovery: recoveries + 1, of: MAX_RECOVERIES, found: how },
        },
      ],
    })
    return this.first()
  }
}
