// Enters the rooms that receive notifications, and creates rooms for single tasks.

import type { Task } from '@switchyard/contracts'
import { HTTPError } from 'matrix-js-sdk/lib/http-api/index.js'
import { failed } from '../outcome.ts'
import { errorText, isErrcode, MatrixFailure } from './failure.ts'
import { clip } from './formatted-text.ts'
import type { Homeserver } from './homeserver.ts'
import { type Deadline, deadlineIn } from './rate-limiter.ts'

/** A room that was entered is not checked again for this long, ms. A refused message is explained when it happens. */
const TRUSTED_MS = 300_000
/** Limit of one invitation, ms: it may go to another server that is unreachable. */
const INVITE_MS = 5_000

/** Returns whether an error concerns the room, and not the token, a limit or the server. */
const isAboutRoom = (error: unknown): error is HTTPError =>
  error instanceof HTTPError && (error.httpStatus ?? 500) < 500 && ![401, 429].includes(error.httpStatus ?? 0)

const unavailable = (room: string, error: HTTPError): MatrixFailure =>
  new MatrixFailure(
    failed('matrix_room_unavailable', `the bot is not in ${room}: ${errorText(error)}`, {
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
   * Enters a room unless the bot is in it already. It accepts an invitation.
   *
   * @param room - id or alias.
   * @returns the id of the room.
   * @throws MatrixFailure if the room cannot be entered or is encrypted
   */
  async enter(room: string, deadline: Deadline): Promise<string> {
    const known = this.#known.get(room)
    if (known && known.until > Date.now()) return known.roomId
    // Many tasks may start in one room at the same time: one call enters it for all, with the deadline of the first.
    const entering = this.#entering.get(room) ?? this.#join(room, deadline).finally(() => this.#entering.delete(room))
    this.#entering.set(room, entering)
    return await entering
  }

  async #join(room: string, deadline: Deadline): Promise<string> {
    const roomId = await this.#homeserver.join(room, deadline).catch((error: unknown) => {
      throw isAboutRoom(error) ? unavailable(room, error) : error
    })
    if (await this.#homeserver.isEncrypted(roomId, deadline))
      throw new MatrixFailure(failed('matrix_room_encrypted', `${room} is encrypted`))
    this.#known.set(room, { roomId, until: Date.now() + TRUSTED_MS })
    return roomId
  }

  /** Returns the reason for a refused message: the bot is no longer in the room, or may not post there. */
  async explain(roomId: string, error: unknown, deadline: Deadline): Promise<unknown> {
    if (!isAboutRoom(error) || !isErrcode(error, 'M_FORBIDDEN', 'M_NOT_FOUND', 'M_UNKNOWN')) return error
    for (const [room, known] of this.#known) if (known.roomId === roomId) this.#known.delete(room)
    const joined = await this.#homeserver.joinedRooms(deadline)
    if (!joined.includes(roomId)) return unavailable(roomId, error)
    return new MatrixFailure(
      failed('matrix_not_allowed_to_post', `the bot may not post in ${roomId}: ${errorText(error)}`, {
        httpStatus: error.httpStatus ?? null,
      }),
    )
  }

  /**
   * Creates a room for one task, or finds it: its alias contains the task's id.
   *
   * @param invited - users to invite; those who cannot be invited are skipped.
   * @returns the id of the room.
   */
  async createForTask(task: Task, invited: readonly string[], deadline: Deadline): Promise<string> {
    const name = clip(task.task_description.trim().replaceAll(/\s+/g, ' '), 80)
    const local = `switchyard_${task.task_id.toLowerCase()}`
    const roomId = await this.#homeserver
      .createRoom({ preset: 'private_chat', name, topic: task.task_id, room_alias_name: local }, deadline)
      .catch(async (error: unknown) => {
        if (isErrcode(error, 'M_ROOM_IN_USE')) return await this.#findRoom(local, deadline)
        if (isAboutRoom(error))
          throw new MatrixFailure(failed('matrix_refused', `cannot create a room: ${errorText(error)}`))
        throw error
      })
    await Promise.all(invited.map((user) => this.#invite(roomId, user, deadline)))
    return roomId
  }

  /** Skips a user who does not exist or whose server does not answer. */
  async #invite(roomId: string, user: string, deadline: Deadline): Promise<void> {
    const inviting = deadlineIn(INVITE_MS, deadline.signal)
    try {
      await this.#homeserver.invite(roomId, user, inviting)
    } catch (error) {
      if (deadline.signal.aborted || !(error instanceof HTTPError || inviting.signal.aborted)) throw error
    }
  }

  async #findRoom(local: string, deadline: Deadline): Promise<string> {
    const server = (await this.#homeserver.userId(deadline)).replace(/^[^:]+:/, '')
    return await this.#homeserver.roomOfAlias(`#${local}:${server}`, deadline)
  }
}
