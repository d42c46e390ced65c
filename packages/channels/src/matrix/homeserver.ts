// The calls to a homeserver that we need, over the HTTP layer of matrix-js-sdk. The layer alone is loaded: the whole library
// costs 45 MB of memory and brings rooms, crypto and calls, none of which a bot without state of its own has a use for.

import { systemErrorCode } from '@switchyard/contracts'
import { ClientPrefix, HTTPError, type IHttpOpts, MatrixHttpApi, Method } from 'matrix-js-sdk/lib/http-api/index.js'
import { TypedEventEmitter } from 'matrix-js-sdk/lib/models/typed-event-emitter.js'
import { failed } from '../outcome.ts'
import { askedToWait, isErrcode, MatrixFailure } from './failure.ts'
import { type Limits, Pace } from './pace.ts'

export type HomeserverOptions = {
  readonly url: string
  readonly accessToken: string
  /** Whom the token must belong to. */
  readonly userId?: string | undefined
}

export type Content = Readonly<Record<string, unknown>>

/** The library drops what a failed `fetch` was caused by, and keeps its message: so the code becomes the message. */
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
    failed(code, 'what answers at MATRIX_HOMESERVER_URL is no Matrix homeserver', { httpStatus, isUnreachable: true }),
  )

type Query = Readonly<Record<string, string | number>>

const inPath = encodeURIComponent

export class Homeserver {
  readonly #http: MatrixHttpApi<IHttpOpts>
  readonly #expectedUser: string | undefined
  readonly #pace = new Pace()
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

  /** The server has said lately that we say too much. */
  get isLimited(): boolean {
    return this.#pace.isLimited
  }

  async #call<T>(method: Method, path: string, limits: Limits, body?: object, query: Query = {}): Promise<T> {
    const call = (abortSignal: AbortSignal) =>
      this.#http.authedRequest<T>(method, path, { ...query }, body, { abortSignal, priority: undefined })
    return await this.#pace.run(limits, call, askedToWait)
  }

  /**
   * The bot's own id, asked once.
   *
   * @throws MatrixFailure where it is not the one that was expected, or where something else than a homeserver answers.
   */
  async userId(limits: Limits): Promise<string> {
    if (this.#userId !== undefined) return this.#userId
    const { user_id: id } = await this.#call<{ user_id?: unknown }>(Method.Get, '/account/whoami', limits).catch(
      (error: unknown) => {
        // Anything may answer at a wrong URL: with 404, or with a page.
        if (error instanceof HTTPError && error.httpStatus === 404) throw wrongUrl('endpoint_not_found', 404)
        throw error instanceof SyntaxError ? wrongUrl('http_error', 200) : error
      },
    )
    if (typeof id !== 'string') throw wrongUrl('http_error', 200)
    if (this.#expectedUser !== undefined && this.#expectedUser !== id)
      throw new MatrixFailure(
        failed('matrix_token_invalid', `MATRIX_ACCESS_TOKEN is that of ${id}, not of ${this.#expectedUser}`, {
          isUnreachable: true,
        }),
      )
    this.#userId = id
    return id
  }

  /** Accepts an invitation too. @param room - id or alias. @returns the id. */
  async join(room: string, limits: Limits): Promise<string> {
    return (await this.#call<{ room_id: string }>(Method.Post, `/join/${inPath(room)}`, limits, {})).room_id
  }

  async joinedRooms(limits: Limits): Promise<readonly string[]> {
    return (await this.#call<{ joined_rooms: string[] }>(Method.Get, '/joined_rooms', limits)).joined_rooms
  }

  async isEncrypted(roomId: string, limits: Limits): Promise<boolean> {
    try {
      await this.#call(Method.Get, `/rooms/${inPath(roomId)}/state/m.room.encryption/`, limits)
      return true
    } catch (error) {
      if (isErrcode(error, 'M_NOT_FOUND')) return false
      throw error
    }
  }

  async createRoom(room: Content, limits: Limits): Promise<string> {
    return (await this.#call<{ room_id: string }>(Method.Post, '/createRoom', limits, room)).room_id
  }

  async roomOfAlias(alias: string, limits: Limits): Promise<string> {
    return (await this.#call<{ room_id: string }>(Method.Get, `/directory/room/${inPath(alias)}`, limits)).room_id
  }

  async invite(roomId: string, userId: string, limits: Limits): Promise<void> {
    await this.#call(Method.Post, `/rooms/${inPath(roomId)}/invite`, limits, { user_id: userId })
  }

  async leave(roomId: string, limits: Limits): Promise<void> {
    await this.#call(Method.Post, `/rooms/${inPath(roomId)}/leave`, limits, {})
  }

  /** @param transactionId - the same one sends nothing twice. @returns the id of the event. */
  async send(roomId: string, transactionId: string, content: Content, limits: Limits): Promise<string> {
    const path = `/rooms/${inPath(roomId)}/send/m.room.message/${inPath(transactionId)}`
    return (await this.#call<{ event_id: string }>(Method.Put, path, limits, content)).event_id
  }

  /** @returns the `mxc://` address. */
  async upload(name: string, type: string, file: string, limits: Limits): Promise<string> {
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
    return (await this.#pace.run(limits, call, askedToWait)).content_uri
  }

  /** Long polling: not counted among the calls that are made at once. */
  async sync(query: Query, signal: AbortSignal): Promise<unknown> {
    return await this.#http.authedRequest(Method.Get, '/sync', { ...query }, undefined, {
      abortSignal: signal,
      priority: undefined,
    })
  }

  /** A page of a room's events, backwards. */
  async messages(roomId: string, query: Query, limits: Limits): Promise<unknown> {
    return await this.#call(Method.Get, `/rooms/${inPath(roomId)}/messages`, limits, undefined, query)
  }
}
