// Does what people say: a command, an answer to a request, words for the agent. Whatever is said is done once, however often it
// is heard: each change of a task carries the id of the event that asked for it.

import { createHash } from 'node:crypto'
import {
  type Answer,
  answerByReaction,
  answerInWords,
  type Command,
  commandOf,
  type Heard,
  type SaidBack,
  text,
} from '@switchyard/channels/matrix'
import {
  isSwitchyardError,
  LIMITS,
  type MessageId,
  type SentControl,
  SwitchyardError,
  type TaskRequest,
} from '@switchyard/contracts'
import {
  findMatrixTarget,
  findTaskRow,
  findToldType,
  type MatrixTarget,
  type TaskRow,
  toRecords,
} from '@switchyard/records'
import { answerRequest, controlTask, type SteeringDeps, sendTaskMessage } from '@switchyard/steering'
import type { TaskWorkspaces } from '@switchyard/worker-calls'
import { diffOf, HELP, statusOf } from './show.ts'

export type ObeyDeps = { readonly steering: SteeringDeps; readonly workspaces: TaskWorkspaces }

/** What came of it: whose task it was about, and what is answered, if anything. */
export type Obeyed = { readonly target: MatrixTarget | undefined; readonly answer: SaidBack | undefined }

const NOTHING: Obeyed = { target: undefined, answer: undefined }

/** What was said outside of any thread is answered only while its sender still looks, ms: not a room's whole past. */
const FRESH_MS = 60_000

const OUTCOMES: Readonly<Record<SentControl['outcome'], string>> = {
  done: 'Done',
  requested: 'Asked for; the worker is at it',
  already: 'It was so already',
  already_ended: 'It had ended',
  not_possible: 'Not possible now',
}

const say = (words: string): SaidBack => ({ wording: text(words) })

/** The same for the same event: a message that is heard twice is kept once. */
const messageIdOf = (sourceKey: string): MessageId =>
  `msg_${createHash('sha256').update(sourceKey).digest('hex').slice(0, 26).toUpperCase()}`

export class Obedience {
  readonly #deps: ObeyDeps

  constructor(deps: ObeyDeps) {
    this.#deps = deps
  }

  /** @throws SwitchyardError `database_unavailable`: nothing is known to be done, and hearing it again does no harm. */
  async obey(heard: Heard): Promise<Obeyed> {
    const { db } = this.#deps.steering.records
    const target = await findMatrixTarget(db, heard.roomId, heard.refersTo)
    if (!target) return this.#withoutTask(heard)
    const row = await findTaskRow(db, target.taskId)
    if (!row) return NOTHING
    // It may mean something else by now: what answered a request is no answer once that is answered.
    const done = await findToldType(db, row.id, this.#actor(heard).sourceKey)
    if (done) return { target, answer: done === 'task_input_answered' ? undefined : say('Done.') }
    try {
      return { target, answer: await this.#about(row, target, heard) }
    } catch (error) {
      if (!isSwitchyardError(error) || error.code === 'database_unavailable') throw error
      return { target, answer: say(`${error.message}. ${error.hint}`) }
    }
  }

  #withoutTask(heard: Heard): Obeyed {
    if (heard.kind !== 'message' || !commandOf(heard.body) || Date.now() - heard.at > FRESH_MS) return NOTHING
    return { target: undefined, answer: say('Which task? Say it in the thread of the task that it is for.') }
  }

  async #about(row: TaskRow, target: MatrixTarget, heard: Heard): Promise<SaidBack | undefined> {
    const pending = await this.#pending(row)
    const meant = pending.find(({ request_id }) => request_id === target.requestId)
    if (heard.kind === 'reaction') {
      const answer = meant && answerByReaction(meant, heard.key)
      return meant && answer ? await this.#answer(row, meant, answer, heard) : undefined
    }
    const command = commandOf(heard.body)
    // What answers a message that asks nothing any more is for the agent, not for another request.
    const request = target.requestId === null ? pending[0] : meant
    if (command) return await this.#command(row, request, command, heard)
    const answer = request && answerInWords(request, heard.body)
    if (!request || !answer) return await this.#tell(row, heard.body, heard)
    if (!meant && pending.length > 1)
      return say(`${pending.length} requests wait: reply to the message of the one that is meant, or react to it.`)
    return await this.#answer(row, request, answer, heard)
  }

  async #pending(row: TaskRow): Promise<readonly TaskRequest[]> {
    const [task] = await toRecords(this.#deps.steering.records.db, [row])
    return (task?.requests ?? []).toSorted((a, b) => a.created_at.localeCompare(b.created_at))
  }

  #actor({ eventId, sender }: Heard) {
    return { by: sender, sourceKey: `matrix:${eventId}` }
  }

  /** The answer is told as an event of the task, so nothing more is said here. */
  async #answer(row: TaskRow, request: TaskRequest, answer: Answer, heard: Heard): Promise<SaidBack | undefined> {
    if ('problem' in answer) return say(answer.problem)
    await answerRequest(this.#deps.steering, this.#actor(heard), row, request.request_id, answer)
    return undefined
  }

  async #tell(row: TaskRow, words: string, heard: Heard): Promise<SaidBack> {
    if (Buffer.byteLength(words) > LIMITS.messageBytes)
      throw new SwitchyardError('payload_too_large', `a message has ${LIMITS.messageBytes} bytes at most`)
    const actor = this.#actor(heard)
    const id = messageIdOf(actor.sourceKey)
    const { delivered } = await sendTaskMessage(this.#deps.steering, actor, row, { message: words }, id)
    const isWaiting = row.status === 'input_required' ? ' It still waits for the answer to its request.' : ''
    return say(delivered ? `The agent has it.${isWaiting}` : `Kept: the agent gets it once it is at work.${isWaiting}`)
  }

  async #command(
    row: TaskRow,
    request: TaskRequest | undefined,
    command: Command,
    heard: Heard,
  ): Promise<SaidBack | undefined> {
    const { steering, workspaces } = this.#deps
    switch (command.kind) {
      case 'control': {
        const { control, reason } = command
        const sent = await controlTask(steering, this.#actor(heard), row, { control, ...(reason ? { reason } : {}) })
        return say(`${OUTCOMES[sent.outcome]}: the task is ${sent.status}.`)
      }
      case 'reject': {
        if (!request) return say('Nothing waits for an answer.')
        const { reason } = command
        return await this.#answer(row, request, { reply: 'reject', ...(reason ? { message: reason } : {}) }, heard)
      }
      case 'say':
        return await this.#tell(row, command.words, heard)
      case 'status':
        return await statusOf(steering.records, row)
      case 'diff':
        return await diffOf(workspaces, row)
      case 'help':
        return { wording: HELP }
      case 'unknown':
        return say(`There is no !${command.name}. !help lists what can be said.`)
    }
  }
}
