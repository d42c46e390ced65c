// The Matrix channel: one notice to the room and the thread of its task.

import type { MatrixSettings } from '@switchyard/config'
import { isTerminal, type Task, type TaskId } from '@switchyard/contracts'
import { HTTPError } from 'matrix-js-sdk/lib/http-api/index.js'
import type { Outcome } from '../outcome.ts'
import { ask, askedBy } from './ask.ts'
import { type Attachment, editContent, fileContent, messageContent, type Place } from './content.ts'
import { failureOf } from './failure.ts'
import type { Content, Homeserver } from './homeserver.ts'
import { type MatrixNotice, opening, progress, telling } from './notice.ts'
import { type Limits, within } from './pace.ts'
import { Rooms } from './rooms.ts'
import { join, text } from './wording.ts'

/** Where a task is told. */
export type Thread = {
  readonly roomId: string
  /** The room is the task's own: there is no thread in it. */
  readonly isOwnRoom: boolean
  readonly rootEventId: string | null
  readonly progressEventId: string | null
}

/** What has to be known of earlier messages, kept where a restart and another notifier find it. */
export type ThreadStore = {
  readonly find: (taskId: TaskId) => Promise<Thread | undefined>
  /** What is there already stays, but for what is null. @returns what is there. */
  readonly keep: (taskId: TaskId, thread: Thread) => Promise<Thread>
  /** @param requestId - the request that this message asks. */
  readonly keepMessage: (taskId: TaskId, roomId: string, eventId: string, requestId: string | null) => Promise<void>
}

/** For one delivery, with all its calls, ms. */
const TIMEOUT_MS = 15_000

const USER = /^@[^\s:]+:\S+$/

/** Those who call for a person, or say how it ended: they notify, the others do not. */
const LOUD: ReadonlySet<string> = new Set([
  'task_input_required',
  'task_completed',
  'task_failed',
  'task_timeout',
  'task_cancelled',
])

type Opened = { readonly thread: Thread; readonly place: Place; readonly limits: Limits }

export class MatrixChannel {
  /** How long `send` takes at most, ms. */
  readonly timeoutMs = TIMEOUT_MS
  readonly #homeserver: Homeserver
  readonly #settings: MatrixSettings
  readonly #threads: ThreadStore
  readonly #rooms: Rooms

  constructor(homeserver: Homeserver, settings: MatrixSettings, threads: ThreadStore) {
    this.#homeserver = homeserver
    this.#settings = settings
    this.#threads = threads
    this.#rooms = new Rooms(homeserver)
  }

  /**
   * What went wrong with Matrix is told in the outcome. The delivery's id is that of the transaction: sent again, it says
   * nothing twice.
   *
   * @throws what `ThreadStore` throws.
   */
  async send(notice: MatrixNotice): Promise<Outcome> {
    const limits = within(this.timeoutMs)
    try {
      await this.#deliver(notice, limits)
      return { kind: 'arrived' }
    } catch (error) {
      return failureOf(error, this.timeoutMs)
    }
  }

  async #deliver(notice: MatrixNotice, limits: Limits): Promise<void> {
    const { task, event } = notice
    const isProgress = event.type === 'task_progress'
    // What comes after it tells more; a server that asks for less is spared it.
    if (isProgress && (isTerminal(task.status) || this.#homeserver.isLimited)) return
    await this.#homeserver.userId(limits)
    const thread = (await this.#threads.find(task.task_id)) ?? (await this.#open(notice, limits))
    await this.#rooms.enter(thread.roomId, limits)
    // Its transaction is the delivery's own. Where it is repeated the root is there, and what is told under that id is nothing new.
    if (thread.rootEventId === null && event.type === 'task_started') {
      await this.#root(notice, thread, notice.id, limits)
      return
    }
    const rooted = thread.rootEventId === null ? await this.#root(notice, thread, null, limits) : thread
    const place = rooted.isOwnRoom || rooted.rootEventId === null ? null : { rootEventId: rooted.rootEventId }
    const opened: Opened = { thread: rooted, place, limits }
    if (isProgress) await this.#progress(notice, opened)
    else await this.#tell(notice, opened)
  }

  /** The room of the task: its agent's, one of its own, or the one for all. */
  async #open({ task, observers }: MatrixNotice, limits: Limits): Promise<Thread> {
    const { room, rooms, roomPerTask, allowedUsers } = this.#settings
    const shared = rooms.get(task.agent_id) ?? (roomPerTask ? undefined : room)
    const named = observers.filter((user) => USER.test(user))
    const roomId =
      shared === undefined
        ? await this.#rooms.openOwn(task, named.length > 0 ? named : allowedUsers, limits)
        : await this.#rooms.enter(shared, limits)
    const thread = { roomId, isOwnRoom: shared === undefined, rootEventId: null, progressEventId: null }
    return await this.#threads.keep(task.task_id, thread)
  }

  /** @param startId - the delivery that tells of the start, where it makes the root; null where another one needs one. */
  async #root({ task }: MatrixNotice, thread: Thread, startId: string | null, limits: Limits): Promise<Thread> {
    const canAnswer = this.#settings.allowedUsers.length > 0
    const content = messageContent(opening(task, startId !== null, canAnswer), { kind: 'notice', place: null })
    const transactionId = startId ?? `${task.task_id}.root`
    const rootEventId = await this.#say(thread.roomId, transactionId, content, task, null, limits)
    return await this.#threads.keep(task.task_id, { ...thread, rootEventId })
  }

  /** One message, edited in place. */
  async #progress({ id, task, event }: MatrixNotice, { thread, place, limits }: Opened): Promise<void> {
    const wording = progress(task, event)
    if (thread.progressEventId !== null) {
      await this.#put(thread.roomId, id, editContent(wording, thread.progressEventId), limits)
      return
    }
    const content = messageContent(wording, { kind: 'notice', place })
    const progressEventId = await this.#say(thread.roomId, `${task.task_id}.progress`, content, task, null, limits)
    await this.#threads.keep(task.task_id, { ...thread, progressEventId })
  }

  async #tell({ id, task, event, observers }: MatrixNotice, { thread, place, limits }: Opened): Promise<void> {
    const asked = event.type === 'task_input_required' ? askedBy(event) : undefined
    const canAnswer = this.#settings.allowedUsers.length > 0
    const { wording, attachment } = asked ? { wording: ask(event, asked, canAnswer) } : telling(task, event)
    const uri = attachment && (await this.#upload(attachment, limits))
    const whole = attachment
      ? join(
          wording,
          text(uri ? '\nThe whole answer is attached.' : `\nThe whole answer is in GET /tasks/${task.task_id}.`),
        )
      : wording
    const isLoud = LOUD.has(event.type)
    const content = messageContent(whole, {
      kind: isLoud ? 'text' : 'notice',
      place,
      mentions: isLoud ? observers.filter((user) => USER.test(user)) : [],
    })
    await this.#say(thread.roomId, id, content, task, asked?.requestId ?? null, limits)
    if (attachment && uri)
      await this.#say(thread.roomId, `${id}.file`, fileContent(attachment, uri, place), task, null, limits)
  }

  /** @returns undefined where the server takes no such file. */
  async #upload({ name, type, text: file }: Attachment, limits: Limits): Promise<string | undefined> {
    try {
      return await this.#homeserver.upload(name, type, file, limits)
    } catch (error) {
      if (error instanceof HTTPError && [403, 413].includes(error.httpStatus ?? 0)) return undefined
      throw error
    }
  }

  async #say(
    roomId: string,
    transactionId: string,
    content: Content,
    task: Task,
    requestId: string | null,
    limits: Limits,
  ): Promise<string> {
    const eventId = await this.#put(roomId, transactionId, content, limits)
    await this.#threads.keepMessage(task.task_id, roomId, eventId, requestId)
    return eventId
  }

  async #put(roomId: string, transactionId: string, content: Content, limits: Limits): Promise<string> {
    try {
      return await this.#homeserver.send(roomId, transactionId, content, limits)
    } catch (error) {
      throw await this.#rooms.explain(roomId, error, limits)
    }
  }
}
