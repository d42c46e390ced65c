// Calls to a homeserver over the HTTP layer of matrix-js-sdk. Only that layer is loaded: the whole
// library takes 45 MB of memory for rooms, encryption and calls, which a stateless bot does not need.

import { systemErrorCode } from '@switchyard/contracts'
import { ClientPrefix, HTTPError, type IHttpOpts, MatrixHttpApi, Method } from 'matrix-js-sdk/lib/http-api/index.js'
import { TypedEventEmitter } from 'matrix-js-sdk/lib/models/typed-event-emitter.js'
import { failed } from '../outcome.ts'
import { isErrcode, MatrixFailure, rateLimitDelayOf } from './failure.ts'
import { type Deadline, RateLimiter } from './rate-limiter.ts'

export type HomeserverOptions = {
  readonly url: string
  readonly accessToken: string
  /** The user to whom the token must belong. */
  readonly userId?: string | undefined
}

export type Content = Readonly<Record<string, unknown>>

/** The library keeps the message of a failed `fetch` but not its cause, so the message becomes the system error code. */
const fetchWithCode: typeof fetch = async (input, init) => {
  try {
    return await fetch(input, init)
  } catch (error) {
    const code = error instanceof Error ? systemErrorCode(error.cause) : undefined
    if (code !== undefined) throw new Error(code)
    throw error
  }
}

const wrongUrl = (code: 'endpoint_not_found' | 'http_error', httpStatus: number): MatrixFailure =>
  new MatrixFailure(
    failed(code, 'MATRIX_HOMESERVER_URL is not the URL of a Matrix homeserver', { httpStatus, isUnreachable: true }),
  )

type Query = Readonly<Record<string, string | number>>

const inPath = encodeURIComponent

export class Homeserver {
  readonly #http: MatrixHttpApi<IHttpOpts>
  readonly #expectedUser: string | undefined
  readonly #limiter = new RateLimiter()
  #userId: string | undefined

  constructor(options: HomeserverOptions) {
    const { url, accessToken } = options
    this.#expectedUser = options.userId
    this.#http = new MatrixHttpApi(new TypedEventEmitter(), {
      baseUrl: url,
      accessToken,
      prefix: ClientPrefix.V3,
      onlyData: true,
      useAuthorizationHeader: true,
      fetchFn: fetchWithCode,
    })
  }

  /** Whether the server has recently limited us. */
  get isLimited(): boolean {
    return this.#limiter.isLimited
  }

  async #call<T>(method: Method, path: string, deadline: Deadline, body?: object, query: Query = {}): Promise<T> {
    const call = (abortSignal: AbortSignal) =>
      this.#http.authedRequest<T>(method, path, { ...query }, body, { abortSignal, priority: undefined })
    return await this.#limiter.run(deadline, call, rateLimitDelayOf)
  }

  /**
   * Returns the bot's user id, which is requested once.
   *
   * @throws MatrixFailure if it is not the expected user, or if the server is not a homeserver
   */
  async userId(deadline: Deadline): Promise<string> {
    if (this.#userId !== undefined) return this.#userId
    const { user_id: id } = await this.#call<{ user_id?: unknown }>(Method.Get, '/account/whoami', deadline).catch(
      (error: unknown) => {
        // Another server may answer with 404, or with a web page.
        if (error instanceof HTTPError && error.httpStatus === 404) throw wrongUrl('endpoint_not_found', 404)
        throw error instanceof SyntaxError ? wrongUrl('http_error', 200) : error
      },
    )
    if (typeof id !== 'string') throw wrongUrl('http_error', 200)
    if (this.#expectedUser !== undefined && this.#expectedUser !== id)
      throw new MatrixFailure(
        failed('matrix_token_invalid', `MATRIX_ACCESS_TOKEN belongs to ${id}, not to ${this.#expectedUser}`, {
          isUnreachable: true,
        }),
      )
    this.#userId = id
    return id
  }

  /** Joins a room, also by invitation. @param room - id or alias. @returns the id. */
  async join(room: string, deadline: Deadline): Promise<string> {
    return (await this.#call<{ room_id: string }>(Method.Post, `/join/${inPath(room)}`, deadline, {})).room_id
  }

  async joinedRooms(deadline: Deadline): Promise<readonly string[]> {
    return (await this.#call<{ joined_rooms: string[] }>(Method.Get, '/joined_rooms', deadline)).joined_rooms
  }

  async isEncrypted(roomId: string, deadline: Deadline): Promise<boolean> {
    try {
      await this.#call(Method.Get, `/rooms/${inPath(roomId)}/state/m.room.encryption/`, deadline)
      return true
    } catch (error) {
      if (isErrcode(error, 'M_NOT_FOUND')) return false
      throw error
    }
  }

  async createRoom(room: Content, deadline: Deadline): Promise<string> {
    return (await this.#call<{ room_id: string }>(Method.Post, '/createRoom', deadline, room)).room_id
  }

  async roomOfAlias(alias: string, deadline: Deadline): Promise<string> {
    return (await this.#call<{ room_id: string }>(Method.Get, `/directory/room/${inPath(alias)}`, deadline)).room_id
  }

  async invite(roomId: string, userId: string, deadline: Deadline): Promise<void> {
    await this.#call(Method.Post, `/rooms/${inPath(roomId)}/invite`, deadline, { user_id: userId })
  }

  async leave(roomId: string, deadline: Deadline): Promise<void> {
    await this.#call(Method.Post, `/rooms/${inPath(roomId)}/leave`, deadline, {})
  }

  /** Sends a message. @param transactionId - repeating it does not send the message twice. @returns the event's id. */
  async send(roomId: string, transactionId: string, content: Content, deadline: Deadline): Promise<string> {
    const path = `/rooms/${inPath(roomId)}/send/m.room.message/${inPath(transactionId)}`
    return (await this.#call<{ event_id: string }>(Method.Put, path, deadline, content)).event_id
  }

  /** Uploads a file. @returns its `mxc://` address. */
  async upload(name: string, type: string, file: string, deadline: Deadline): Promise<string> {
    const controller = new AbortController()
    const call = async (signal: AbortSignal) => {
      const onAbort = () => controller.abort()
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        return await this.#http.uploadContent(file, { name, type, abortController: controller })
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    }
    return (await this.#limiter.run(deadline, call, rateLimitDelayOf)).content_uri
  }

  /** Long polling, which does not count towards the concurrent calls. */
  async sync(query: Query, signal: AbortSignal): Promise<unknown> {
    return await this.#http.authedRequest(Method.Get, '/sync', { ...query }, undefined, {
      abortSignal: signal,
      priority: undefined,
    })
  }

  /** Returns a page of a room's events, newest first. */
  async messages(roomId: string, query: Query, deadline: Deadline): Promise<unknown> {
    return await this.#call(Method.Get, `/rooms/${inPath(roomId)}/messages`, deadline, undefined, query)
  }
}
