// Receives the events of Matrix rooms through /sync. One notifier at a time listens, by a lease. The sync
// position is stored after its events were handled: a restart misses no event, and one that is received
// twice is handled once.

import { randomUUID } from 'node:crypto'
import {
  deadlineIn,
  failureOf,
  type Homeserver,
  type IncomingEvent,
  MESSAGES_QUERY,
  parseEvent,
  parseMessagesPage,
  parseSync,
  SYNC_FILTER,
  type Sync,
} from '@switchyard/channels/matrix'
import { isSwitchyardError } from '@switchyard/contracts'
import { type Failure, type Repeating, repeat } from '@switchyard/process'
import { keepMatrixSync, leaseMatrixSync, type Records, releaseMatrixSync } from '@switchyard/records'
import type { Logger } from 'pino'

/** The lease of a notifier that died expires after this time, ms. */
const LEASE_MS = 15_000
const RENEW_MS = 4_000
/** Interval of a notifier that waits for the lease, ms. */
const LEASE_POLL_MS = 1_000
/** Long polling: the server answers after `POLL_MS` at the latest, and `CALL_MS` is added for the transfer. */
const POLL_MS = 20_000
const CALL_MS = 30_000
const RETRY_MS = 2_000
/** Delay after an invalid token, ms: only a restart with a new token helps. */
const INVALID_TOKEN_RETRY_MS = 60_000
/** Pages of 100 events that are read to fill the gap of a room. */
const MAX_PAGES = 100

export type ListenerDeps = {
  readonly homeserver: Homeserver
  readonly records: Records
  readonly allowedUsers: readonly string[]
  /** Handles an event, including the reply. */
  readonly handle: (event: IncomingEvent, signal: AbortSignal) => Promise<void>
  readonly logger: Logger
}

export type Listener = { readonly close: () => Promise<void> }

/** Every failure is retried, also a response that cannot be parsed. */
const onFailure = (error: unknown): Failure => {
  const { code, message, retryAfterMs } = reasonOf(error)
  const defaultMs = code === 'matrix_token_invalid' ? INVALID_TOKEN_RETRY_MS : RETRY_MS
  return { facts: { code, err: message }, retryMs: retryAfterMs ?? defaultMs }
}

type Reason = { readonly code: string; readonly message: string; readonly retryAfterMs: number | null }

const reasonOf = (error: unknown): Reason => {
  if (isSwitchyardError(error)) return { code: error.code, message: error.message, retryAfterMs: null }
  try {
    return failureOf(error, POLL_MS + CALL_MS)
  } catch {
    return { code: 'internal_error', message: String(error).slice(0, 500), retryAfterMs: null }
  }
}

class SyncListener {
  readonly #deps: ListenerDeps
  readonly #allowed: ReadonlySet<string>
  readonly #holder = randomUUID()
  readonly #syncing: Repeating
  #userId: string | undefined

  constructor(deps: ListenerDeps) {
    this.#deps = deps
    this.#allowed = new Set(deps.allowedUsers)
    this.#syncing = repeat({
      name: 'Matrix sync',
      everyMs: LEASE_POLL_MS,
      work: (signal) => this.#round(signal),
      onFailure,
      logger: deps.logger,
    })
    this.#syncing.runNow()
  }

  async close(): Promise<void> {
    await this.#syncing.stop()
    if (this.#userId === undefined) return
    await releaseMatrixSync(this.#deps.records.db, this.#userId, this.#holder).catch((error: unknown) => {
      this.#deps.logger.debug({ err: error }, 'failed to release the lease of the Matrix sync; it will expire')
    })
  }

  /** @returns the delay until the next round, ms. */
  async #round(signal: AbortSignal): Promise<number> {
    const { homeserver, records, logger } = this.#deps
    const userId = await homeserver.userId(deadlineIn(CALL_MS, signal))
    this.#userId = userId
    const lease = await leaseMatrixSync(records.db, userId, this.#holder, LEASE_MS)
    if (!lease) return LEASE_POLL_MS
    const lost = new AbortController()
    const renewing = repeat({
      name: 'renewal of the Matrix sync lease',
      everyMs: RENEW_MS,
      work: () => this.#renew(userId, lost),
      // Without the database, a listener that has lost its lease only handles events that can be handled twice.
      onFailure: () => ({ isExpected: true }),
      logger,
    })
    try {
      await this.#sync(userId, lease.since, AbortSignal.any([signal, lost.signal]))
    } finally {
      await renewing.stop()
    }
    return 0
  }

  async #renew(userId: string, lost: AbortController): Promise<void> {
    if (!(await leaseMatrixSync(this.#deps.records.db, userId, this.#holder, LEASE_MS))) lost.abort()
  }

  async #sync(userId: string, since: string | null, signal: AbortSignal): Promise<void> {
    const { homeserver, records } = this.#deps
    // The first sync returns immediately, whatever its timeout. Synapse caches the response of a request for
    // minutes, with the position of that time; a random timeout makes it a new request.
    const timeout = since === null ? 1 + Math.floor(Math.random() * POLL_MS) : POLL_MS
    const query = { filter: SYNC_FILTER, timeout, ...(since === null ? {} : { since }) }
    const response = await homeserver.sync(query, AbortSignal.any([signal, AbortSignal.timeout(POLL_MS + CALL_MS)]))
    const sync = parseSync(response, userId)
    for (const { roomId, sender } of sync.invitations)
      if (this.#allowed.has(sender)) await this.#acceptInvitation(roomId, sender, signal)
    // Events before the first sync are not handled.
    if (since !== null) await this.#handleEvents(userId, sync, since, signal)
    await keepMatrixSync(records.db, userId, this.#holder, sync.next, LEASE_MS)
  }

  async #acceptInvitation(roomId: string, sender: string, signal: AbortSignal): Promise<void> {
    const { homeserver, logger } = this.#deps
    try {
      await homeserver.join(roomId, deadlineIn(CALL_MS, signal))
      logger.info({ room_id: roomId, invited_by: sender }, 'joined a Matrix room')
    } catch (error) {
      const { isUnreachable, message } = failureOf(error, CALL_MS)
      if (isUnreachable || signal.aborted) throw error
      logger.warn({ room_id: roomId, invited_by: sender, err: message }, 'failed to join a Matrix room')
    }
  }

  /** Handles the events of a room in order, and the rooms concurrently. */
  async #handleEvents(userId: string, sync: Sync, since: string, signal: AbortSignal): Promise<void> {
    const handling = [...sync.rooms].map(async ([roomId, events]) => {
      const gap = sync.gaps.find((each) => each.roomId === roomId)
      const missed = gap ? await this.#readGap(roomId, gap.from, since, signal) : []
      for (const raw of [...missed, ...events]) {
        const event = parseEvent(raw, roomId, userId, this.#allowed)
        if (event) await this.#deps.handle(event, signal)
      }
    })
    for (const room of await Promise.allSettled(handling)) if (room.status === 'rejected') throw room.reason
  }

  /** Returns an empty page for a room that the bot may no longer read, so that other rooms do not wait for it. */
  async #readPage(
    roomId: string,
    from: string,
    since: string,
    signal: AbortSignal,
  ): Promise<ReturnType<typeof parseMessagesPage>> {
    const query = { ...MESSAGES_QUERY, from, to: since }
    try {
      return parseMessagesPage(await this.#deps.homeserver.messages(roomId, query, deadlineIn(CALL_MS, signal)))
    } catch (error) {
      const { code, message } = failureOf(error, CALL_MS)
      if (code !== 'matrix_refused') throw error
      this.#deps.logger.warn({ room_id: roomId, err: message }, 'failed to read missed events of a Matrix room')
      return { events: [], end: undefined }
    }
  }

  /** Reads the events that a sync left out of a room, oldest first. */
  async #readGap(roomId: string, from: string, since: string, signal: AbortSignal): Promise<readonly unknown[]> {
    const events: unknown[] = []
    let next: string | undefined = from
    for (let pages = 0; next !== undefined && pages < MAX_PAGES; pages += 1) {
      const page = await this.#readPage(roomId, next, since, signal)
      events.push(...page.events)
      next = page.events.length > 0 ? page.end : undefined
    }
    if (next !== undefined) this.#deps.logger.warn({ room_id: roomId }, 'Matrix room has too many missed events')
    return events.toReversed()
  }
}

/** Listens until it is closed. It retries while the homeserver is unreachable. */
export const startListener = (deps: ListenerDeps): Listener => new SyncListener(deps)
