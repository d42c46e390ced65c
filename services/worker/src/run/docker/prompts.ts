// Which prompt is next: the task's own, what callers have said since, or the word to go on after an interruption. Each has an
// id that is recorded before its container is made, so that whoever comes later knows it by its label.

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
import type { Place } from './container-directory.ts'

export type Prompt = { readonly id: string; readonly text: string }

export class Prompts {
  readonly #record: RunRecord
  readonly #place: Place
  /** Prompts whose containers have been read to their end. */
  readonly #answered = new Set<string>()
  /** Prompts that the session has. */
  readonly #heard = new Set<string>()
  /** Prompts whose containers were made and not started. */
  readonly #unstarted = new Set<string>()

  constructor(record: RunRecord, place: Place) {
    this.#record = record
    this.#place = place
  }

  answered(id: string): void {
    this.#answered.add(id)
  }

  unstarted(id: string): void {
    this.#unstarted.add(id)
  }

  /** OpenCode works on it: what callers have said in it is delivered. One that is ended before has not written it down. */
  async heard(id: string): Promise<void> {
    if (this.#heard.has(id)) return
    await markPromptDelivered(this.#record.db, this.#record.row.id, id)
    this.#heard.add(id)
  }

  /**
   * What callers have said and the session does not have: one prompt for all of it.
   *
   * @returns null where there is nothing.
   */
  async fromCallers(): Promise<Prompt | null> {
    const { db, row } = this.#record
    const waiting = await undeliveredMessages(db, row.id)
    const [first] = waiting
    if (!first) return null
    const id = first.prompt_id ?? newMessageId()
    const messages = waiting.filter((message) => message.prompt_id === first.prompt_id)
    for (const message of messages) await choosePromptId(db, message.id, id)
    return asPrompt(id, messages)
  }

  /** Whether the session has got a prompt since those whose containers were read: its own was removed. Ids rise with time. */
  async isLastLost(): Promise<boolean> {
    const last = await lastDeliveredPrompt(this.#record.db, this.#record.row.id)
    return last !== null && [...this.#answered].every((id) => id < last)
  }

  /**
   * The task's own prompt where no container has had it, else what follows an interruption: what the session did not get of
   * callers' words once more, or the word to go on; from the beginning where there is no session yet.
   *
   * @throws SwitchyardError `attempts_exhausted`
   */
  async next(how: string): Promise<Prompt> {
    const { prompt_id: recorded } = this.#record.row
    if (recorded === null) throw new Error('a prompt id is recorded before a container is made')
    if (!(await this.#mayHaveRun(recorded))) return this.#own(recorded)
    const id = newMessageId()
    const unheard = await this.#unheard()
    if (!unheard) {
      await this.#recover(id, how, { prompt_id: id })
      return this.#own(id)
    }
    await this.#recover(id, how, {})
    await movePrompt(this.#record.db, this.#record.row.id, unheard.id, id)
    return { ...unheard, id }
  }

  #own(id: string): Prompt {
    const { description, session_id: sessionId } = this.#record.row
    return { id, text: sessionId === null ? description : CONTINUE }
  }

  /** Its container was read, or may be gone: a prompt is written before its container is started. */
  async #mayHaveRun(id: string): Promise<boolean> {
    if (this.#answered.has(id)) return true
    return !this.#unstarted.has(id) && (await this.#place.hasPrompt(id))
  }

  /** The callers' words whose container ended before the session had them. */
  async #unheard(): Promise<Prompt | null> {
    const { db, row } = this.#record
    const asked = (await undeliveredMessages(db, row.id)).filter(
      ({ prompt_id: id }) => id !== null && this.#answered.has(id),
    )
    const id = asked[0]?.prompt_id
    return id
      ? asPrompt(
          id,
          asked.filter((message) => message.prompt_id === id),
        )
      : null
  }

  async #recover(id: string, how: string, set: { readonly prompt_id?: string }): Promise<void> {
    const { recoveries, session_id: sessionId } = this.#record.row
    if (recoveries >= MAX_RECOVERIES)
      throw new SwitchyardError('attempts_exhausted', `the container was interrupted ${recoveries} times (${how})`)
    const goesOn = sessionId === null ? 'the task begins again' : 'the task continues in the same session'
    await this.#record.write({
      set: { ...set, recoveries: recoveries + 1 },
      events: [
        {
          type: 'task_recovered',
          message: `the container was interrupted (${how}); ${goesOn}`,
          source_key: `recovered:${id}`,
          data: { recovery: recoveries + 1, of: MAX_RECOVERIES, found: how },
        },
      ],
    })
  }
}

const asPrompt = (id: string, messages: readonly MessageRow[]): Prompt => ({
  id,
  text: messages.map(messageText).join('\n\n'),
})
