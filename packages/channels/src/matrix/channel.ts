// Sends notifications to Matrix: each one to the room and the thread of its task.

import type { MatrixSettings } from '@switchyard/config'
import { isTerminal, type Task, type TaskEvent, type TaskId } from '@switchyard/contracts'
import { HTTPError } from 'matrix-js-sdk/lib/http-api/index.js'
import type { Outcome } from '../outcome.ts'
import { type Attachment, editContent, fileContent, messageContent, type ThreadPosition } from './content.ts'
import { eventText, progressText, rootText } from './event-text.ts'
import { failureOf } from './failure.ts'
import { join, plain } from './formatted-text.ts'
import type { Content, Homeserver } from './homeserver.ts'
import { type Deadline, deadlineIn } from './rate-limiter.ts'
import { requestOf, requestText } from './request-text.ts'
import { Rooms } from './rooms.ts'

export type MatrixNotification = {
  /** The id of the delivery. */
  readonly id: string
  readonly task: Task
  readonly event: TaskEvent
  readonly observers: readonly string[]
}

/** Where the messages of a task go. */
export type Thread = {
  readonly roomId: string
  /** True for a room of the task's own, which needs no thread. */
  readonly isOwnRoom: boolean
  readonly rootEventId: string | null
  readonly progressEventId: string | null
}

/** Stores what later messages need, so that a restarted or another notifier finds it. */
export type ThreadStore = {
  readonly find: (taskId: TaskId) => Promise<Thread | undefined>
  /** Stores the thread; values that are set already are kept. @returns the stored thread. */
  readonly save: (taskId: TaskId, thread: Thread) => Promise<Thread>
  /** @param requestId - the request that the message shows. */
  readonly saveMessage: (taskId: TaskId, roomId: string, eventId: string, requestId: string | null) => Promise<void>
}

/** Limit of one delivery with all its calls, ms. */
const TIMEOUT_MS = 15_000

const USER = /^@[^\s:]+:\S+$/

/** Events that notify people: they need an answer, or the task has ended. */
const NOTIFYING: ReadonlySet<string> = new Set([
  'task_input_required',
  'task_completed',
  'task_failed',
  'task_timeout',
  'task_cancelled',
])

type OpenThread = { readonly thread: Thread; readonly position: ThreadPosition; readonly deadline: Deadline }

export class MatrixChannel {
  /** Limit of `send`, ms. */
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
   * Sends a notification. Its id is the transaction id, so a repeated attempt does not post it twice.
   *
   * @returns the outcome; failures of Matrix are part of it.
   * @throws the errors of `ThreadStore`
   */
  async send(notification: MatrixNotification): Promise<Outcome> {
    const deadline = deadlineIn(this.timeoutMs)
    try {
      await this.#deliver(notification, deadline)
      return { kind: 'delivered' }
    } catch (error) {
      return failureOf(error, this.timeoutMs)
    }
  }

  async #deliver(notification: MatrixNotification, deadline: Deadline): Promise<void> {
    const { task, event } = notification
    const isProgress = event.type === 'task_progress'
    // Progress is outdated once the task has ended, and is dropped to relieve a server that limits us.
    if (isProgress && (isTerminal(task.status) || this.#homeserver.isLimited)) return
    await this.#homeserver.userId(deadline)
    const thread = (await this.#threads.find(task.task_id)) ?? (await this.#openThread(notification, deadline))
    await this.#rooms.enter(thread.roomId, deadline)
    if (thread.rootEventId === null && event.type === 'task_started') {
      // The delivery itself becomes the root, under its own transaction id. A repeated delivery finds the root
      // and posts under the same id, which the server ignores.
      await this.#postRoot(notification, thread, notification.id, deadline)
      return
    }
    const rooted = thread.rootEventId === null ? await this.#postRoot(notification, thread, null, deadline) : thread
    const position = rooted.isOwnRoom || rooted.rootEventId === null ? null : { rootEventId: rooted.rootEventId }
    const open: OpenThread = { thread: rooted, position, deadline }
    if (isProgress) await this.#postProgress(notification, open)
    else await this.#postEvent(notification, open)
  }

  /** Chooses the room of a task: the one of its agent, one of its own, or the shared one. */
  async #openThread({ task, observers }: MatrixNotification, deadline: Deadline): Promise<Thread> {
    const { room, rooms, roomPerTask, allowedUsers } = this.#settings
    const shared = rooms.get(task.agent_id) ?? (roomPerTask ? undefined : room)
    const users = observers.filter((user) => USER.test(user))
    const roomId =
      shared === undefined
        ? await this.#rooms.createForTask(task, users.length > 0 ? users : allowedUsers, deadline)
        : await this.#rooms.enter(shared, deadline)
    const thread = { roomId, isOwnRoom: shared === undefined, rootEventId: null, progressEventId: null }
    return await this.#threads.save(task.task_id, thread)
  }

  /** @param startId - the delivery of the start event if that becomes the root; null if another event needs a root. */
  async #postRoot(
    { task }: MatrixNotification,
    thread: Thread,
    startId: string | null,
    deadline: Deadline,
  ): Promise<Thread> {
    const canSteer = this.#settings.allowedUsers.length > 0
    const content = messageContent(rootText(task, startId !== null, canSteer), { kind: 'notice', position: null })
    const transactionId = startId ?? `${task.task_id}.root`
    const rootEventId = await this.#post(thread.roomId, transactionId, content, task, null, deadline)
    return await this.#threads.save(task.task_id, { ...thread, rootEventId })
  }

  /** Progress is one message, which is edited. */
  async #postProgress(
    { id, task, event }: MatrixNotification,
    { thread, position, deadline }: OpenThread,
  ): Promise<void> {
    const text = progressText(task, event)
    if (thread.progressEventId !== null) {
      await this.#send(thread.roomId, id, editContent(text, thread.progressEventId), deadline)
      return
    }
    const content = messageContent(text, { kind: 'notice', position })
    const progressEventId = await this.#post(thread.roomId, `${task.task_id}.progress`, content, task, null, deadline)
    await this.#threads.save(task.task_id, { ...thread, progressEventId })
  }

  async #postEvent(
    { id, task, event, observers }: MatrixNotification,
    { thread, position, deadline }: OpenThread,
  ): Promise<void> {
    const request = event.type === 'task_input_required' ? requestOf(event) : undefined
    const canAnswer = this.#settings.allowedUsers.length > 0
    const { text, attachment } = request ? { text: requestText(event, request, canAnswer) } : eventText(task, event)
    const uri = attachment && (await this.#upload(attachment, deadline))
    const complete = attachment
      ? join(
          text,
          plain(uri ? '\nThe full answer is attached.' : `\nGet the full answer with GET /tasks/${task.task_id}.`),
        )
      : text
    const isNotifying = NOTIFYING.has(event.type)
    const content = messageContent(complete, {
      kind: isNotifying ? 'text' : 'notice',
      position,
      mentions: isNotifying ? observers.filter((user) => USER.test(user)) : [],
    })
    await this.#post(thread.roomId, id, content, task, request?.requestId ?? null, deadline)
    if (attachment && uri)
      await this.#post(thread.roomId, `${id}.file`, fileContent(attachment, uri, position), task, null, deadline)
  }

  /** @returns undefined if the server refuses the file. */
  async #upload({ name, type, content }: Attachment, deadline: Deadline): Promise<string | undefined> {
    try {
      return await this.#homeserver.upload(name, type, content, deadline)
    } catch (error) {
      if (error instanceof HTTPError && [403, 413].includes(error.httpStatus ?? 0)) return undefined
      throw error
    }
  }

  /** Sends a message and stores its id: people may reply to it. */
  async #post(
    roomId: string,
    transactionId: string,
    content: Content,
    task: Task,
    requestId: string | null,
    deadline: Deadline,
  ): Promise<string> {
    const eventId = await this.#send(roomId, transactionId, content, deadline)
    await this.#threads.saveMessage(task.task_id, roomId, eventId, requestId)
    return eventId
  }

  async #send(roomId: string, transactionId: string, content: Content, deadline: Deadline): Promise<string> {
    try {
      return await this.#homeserver.send(roomId, transactionId, content, deadline)
    } catch (error) {
      throw await this.#rooms.explain(roomId, error, deadline)
    }
  }
}
