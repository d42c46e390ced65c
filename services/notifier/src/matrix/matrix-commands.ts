// Runs what people write in Matrix: commands, answers to requests, and messages for the agent. Every
// change of a task carries the id of the Matrix event, so an event that is received twice runs once.

import { createHash } from 'node:crypto'
import {
  type Command,
  type IncomingEvent,
  type MatrixMessage,
  parseAnswer,
  parseCommand,
  parseReaction,
  plain,
  type RequestAnswer,
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
import { diffReply, HELP, statusReply } from './command-replies.ts'

export type CommandDeps = { readonly steering: SteeringDeps; readonly workspaces: TaskWorkspaces }

/** The task that an event belongs to, and the reply to it. */
export type CommandResult = { readonly target: MatrixTarget | undefined; readonly reply: MatrixMessage | undefined }

const IGNORED: CommandResult = { target: undefined, reply: undefined }

/** A command outside of any thread gets a reply only if it is newer than this, ms: old messages of a room do not. */
const RECENT_MS = 60_000

const OUTCOMES: Readonly<Record<SentControl['outcome'], string>> = {
  done: 'Done',
  requested: 'Requested from the worker',
  already: 'No change',
  already_ended: 'The task had already ended',
  not_possible: 'Not possible now',
}

const message = (value: string): MatrixMessage => ({ text: plain(value) })

/** Derives the message id from the event, so that a message that is received twice is stored once. */
const messageIdOf = (sourceKey: string): MessageId =>
  `msg_${createHash('sha256').update(sourceKey).digest('hex').slice(0, 26).toUpperCase()}`

export class MatrixCommands {
  readonly #deps: CommandDeps

  constructor(deps: CommandDeps) {
    this.#deps = deps
  }

  /**
   * Runs what an event asks for.
   *
   * @throws SwitchyardError `database_unavailable`; the event can safely be run again
   */
  async run(event: IncomingEvent): Promise<CommandResult> {
    const { db } = this.#deps.steering.records
    const target = await findMatrixTarget(db, event.roomId, event.refersTo)
    if (!target) return this.#withoutTask(event)
    const row = await findTaskRow(db, target.taskId)
    if (!row) return IGNORED
    // An event that has run before is not interpreted again: an answer would become a message once its request is answered.
    const previous = await findToldType(db, row.id, this.#actor(event).sourceKey)
    if (previous) return { target, reply: previous === 'task_input_answered' ? undefined : message('Done.') }
    try {
      return { target, reply: await this.#runForTask(row, target, event) }
    } catch (error) {
      if (!isSwitchyardError(error) || error.code === 'database_unavailable') throw error
      return { target, reply: message(`${error.message}. ${error.hint}`) }
    }
  }

  #withoutTask(event: IncomingEvent): CommandResult {
    if (event.kind !== 'message' || !parseCommand(event.body) || Date.now() - event.at > RECENT_MS) return IGNORED
    return { target: undefined, reply: message('Which task? Write the command in the thread of a task.') }
  }

  async #runForTask(row: TaskRow, target: MatrixTarget, event: IncomingEvent): Promise<MatrixMessage | undefined> {
    const pending = await this.#pendingRequests(row)
    const shown = pending.find(({ request_id }) => request_id === target.requestId)
    if (event.kind === 'reaction') {
      const answer = shown && parseReaction(shown, event.key)
      return shown && answer ? await this.#answer(row, shown, answer, event) : undefined
    }
    const command = parseCommand(event.body)
    // A reply to a request that no longer waits goes to the agent; it does not answer another request.
    const request = target.requestId === null ? pending[0] : shown
    if (command) return await this.#runCommand(row, request, command, event)
    const answer = request && parseAnswer(request, event.body)
    if (!request || !answer) return await this.#sendToAgent(row, event.body, event)
    if (!shown && pending.length > 1)
      return message(`${pending.length} requests are waiting. Reply or react to the message of one of them.`)
    return await this.#answer(row, request, answer, event)
  }

  async #pendingRequests(row: TaskRow): Promise<readonly TaskRequest[]> {
    const [task] = await toRecords(this.#deps.steering.records.db, [row])
    return (task?.requests ?? []).toSorted((a, b) => a.created_at.localeCompare(b.created_at))
  }

  #actor({ eventId, sender }: IncomingEvent) {
    return { by: sender, sourceKey: `matrix:${eventId}` }
  }

  /** @returns undefined for a valid answer: it appears in the thread as an event of the task. */
  async #answer(
    row: TaskRow,
    request: TaskRequest,
    answer: RequestAnswer,
    event: IncomingEvent,
  ): Promise<MatrixMessage | undefined> {
    if ('problem' in answer) return message(answer.problem)
    await answerRequest(this.#deps.steering, this.#actor(event), row, request.request_id, answer)
    return undefined
  }

  async #sendToAgent(row: TaskRow, body: string, event: IncomingEvent): Promise<MatrixMessage> {
    if (Buffer.byteLength(body) > LIMITS.messageBytes)
      throw new SwitchyardError('payload_too_large', `the message exceeds ${LIMITS.messageBytes} bytes`)
    const actor = this.#actor(event)
    const id = messageIdOf(actor.sourceKey)
    const { delivered } = await sendTaskMessage(this.#deps.steering, actor, row, { message: body }, id)
    const waiting = row.status === 'input_required' ? ' It still waits for an answer to its request.' : ''
    return message(
      delivered ? `The agent has it.${waiting}` : `Stored. The agent receives it when it continues.${waiting}`,
    )
  }

  async #runCommand(
    row: TaskRow,
    request: TaskRequest | undefined,
    command: Command,
    event: IncomingEvent,
  ): Promise<MatrixMessage | undefined> {
    const { steering, workspaces } = this.#deps
    switch (command.kind) {
      case 'control': {
        const { control, reason } = command
        const sent = await controlTask(steering, this.#actor(event), row, { control, ...(reason ? { reason } : {}) })
        return message(`${OUTCOMES[sent.outcome]}: the task is ${sent.status}.`)
      }
      case 'reject': {
        if (!request) return message('No request is waiting for an answer.')
        const { reason } = command
        return await this.#answer(row, request, { reply: 'reject', ...(reason ? { message: reason } : {}) }, event)
      }
      case 'say':
        return await this.#sendToAgent(row, command.message, event)
      case 'status':
        return await statusReply(steering.records, row)
      case 'diff':
        return await diffReply(workspaces, row)
      case 'help':
        return { text: HELP }
      case 'unknown':
        return message(`Unknown command !${command.name}. !help lists the commands.`)
    }
  }
}
