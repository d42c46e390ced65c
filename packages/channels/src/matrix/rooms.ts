// The rooms that tasks are told in: entered, looked at, and made where a task has one of its own.

import type { Task } from '@switchyard/contracts'
import { HTTPError } from 'matrix-js-sdk/lib/http-api/index.js'
import { failed } from '../outcome.ts'
import { isErrcode, MatrixFailure, wordsOf } from './failure.ts'
import type { Homeserver } from './homeserver.ts'
import { type Limits, within } from './pace.ts'
import { clip } from './wording.ts'

/** So long a room that was well is taken to be so, ms. What it refuses meanwhile is looked at when it is refused. */
const TRUSTED_MS = 300_000
/** For one invitation: it may go to another server, which may be away, ms. */
const INVITE_MS = 5_000

/** A refusal that is about the room; the token, a limit and a fault of the server are not. */
const isAboutRoom = (error: unknown): error is HTTPError =>
  error instanceof HTTPError && (error.httpStatus ?? 500) < 500 && ![401, 429].includes(error.httpStatus ?? 0)

const unavailable = (room: string, error: HTTPError): MatrixFailure =>
  new MatrixFailure(
    failed('matrix_room_unavailable', `the bot is not in ${room}: ${wordsOf(error)}`, {
      httpStatus: error.httpStatus ?? null,
    }),
  )

export class Rooms {
  readonly #homeserver: Homeserver
  readonly #known = new Map<string, { readonly roomId: string; readonly until: number }>()
  readonly #entering = new Map<string, Promise<string>>()

  constructor(homeserver: Homeserver) {
    this.#homeserver = homeserver
  }

  /**
   * Enters a room, by invitation where there is one, unless the bot is in it.
   *
   * @param room - id or alias. @returns the id.
   * @throws MatrixFailure where it cannot be entered, or is encrypted.
   */
  async enter(room: string, limits: Limits): Promise<string> {
    const known = this.#known.get(room)
    if (known && known.until > Date.now()) return known.roomId
    // Many tasks begin at once in one room: it is entered once, and who waits for that uses the time of the first.
    const entering = this.#entering.get(room) ?? this.#join(room, limits).finally(() => this.#entering.delete(room))
    this.#entering.set(room, entering)
    return await entering
  }

  async #join(room: string, limits: Limits): Promise<string> {
    const roomId = await this.#homeserver.join(room, limits).catch((error: unknown) => {
      throw isAboutRoom(error) ? unavailable(room, error) : error
    })
    if (await this.#homeserver.isEncrypted(roomId, limits))
      throw new MatrixFailure(failed('matrix_room_encrypted', `${room} is encrypted`))
    this.#known.set(room, { roomId, until: Date.now() + TRUSTED_MS })
    return roomId
  }

  /** What came of a refused message: the bot is not in the room any more, or may not write there. */
  async explain(roomId: string, error: unknown, limits: Limits): Promise<unknown> {
    if (!isAboutRoom(error) || !isErrcode(error, 'M_FORBIDDEN', 'M_NOT_FOUND', 'M_UNKNOWN')) return error
    for (const [room, known] of this.#known) if (known.roomId === roomId) this.#known.delete(room)
    const joined = await this.#homeserver.joinedRooms(limits)
    if (!joined.includes(roomId)) return unavailable(roomId, error)
    return new MatrixFailure(
      failed('matrix_not_allowed_to_post', `the bot may not write in ${roomId}: ${wordsOf(error)}`, {
        httpStatus: error.httpStatus ?? null,
      }),
    )
  }

  /**
   * The room of one task. Its alias is the task's id: made twice, it is the same room.
   *
   * @param invited - who cannot be invited is left out: the task is told all the same.
   */
  async openOwn(task: Task, invited: readonly string[], limits: Limits): Promise<string> {
    const name = clip(task.task_description.trim().replaceAll(/\s+/g, ' '), 80)
    const local = `switchyard_${task.task_id.toLowerCase()}`
    const roomId = await this.#homeserver
      .createRoom({ preset: 'private_chat', name, topic: task.task_id, room_alias_name: local }, limits)
      .catch(async (error: unknown) => {
        if (isErrcode(error, 'M_ROOM_IN_USE')) return await this.#ownRoom(local, limits)
        if (isAboutRoom(error))
          throw new MatrixFailure(failed('matrix_refused', `no room could be made: ${wordsOf(error)}`))
        throw error
      })
    await Promise.all(invited.map((user) => this.#invite(roomId, user, limits)))
    return roomId
  }

  /** A user that is not there, or whose server does not answer, holds nobody up. */
  async #invite(roomId: string, user: string, limits: Limits): Promise<void> {
    const own = within(INVITE_MS, limits.signal)
    try {
      await this.#homeserver.invite(roomId, user, own)
    } catch (error) {
      if (limits.signal.aborted || !(error instanceof HTTPError || own.signal.aborted)) throw error
    }
  }

  async #ownRoom(local: string, limits: Limits): Promise<string> {
    const server = (await this.#homeserver.userId(limits)).replace(/^[^:]+:/, '')
    return await this.#homeserver.roomOfAlias(`#${local}:${server}`, limits)
  }
}
