// Hears what is said in Matrix. One notifier at a time does, by a lease; the position up to which everything was done is kept
// after it was done, so a restart misses nothing, and what is heard twice is done once.

import { randomUUID } from 'node:crypto'
import {
  failureOf,
  type Heard,
  type Homeserver,
  hear,
  PAGE_QUERY,
  readPage,
  readSync,
  SYNC_FILTER,
  type Sync,
  within,
} from '@switchyard/channels/matrix'
import { isSwitchyardError } from '@switchyard/contracts'
import { type Failure, type Repeating, repeat } from '@switchyard/process'
import { keepMatrixSync, leaseMatrixSync, type Records, releaseMatrixSync } from '@switchyard/records'
import type { Logger } from 'pino'

/** A notifier that died holds the lease for so long, ms. */
const LEASE_MS = 15_000
const RENEW_MS = 4_000
const LOOK_MS = 1_000
/** The server answers a poll after so long at the latest; then it has `CALL_MS` more. */
const POLL_MS = 20_000
const CALL_MS = 30_000
const RETRY_MS = 2_000
/** Only a new token helps, and that takes a new start, ms. */
const RETRY_TOKEN_MS = 60_000
/** A room in which more was said while nobody listened is read back so far, in pages of a hundred. */
const PAGES = 100

export type ListenerDeps = {
  readonly homeserver: Homeserver
  readonly records: Records
  readonly allowedUsers: readonly string[]
  /** Does what was said. It resolves when it is done, and may still answer then. */
  readonly act: (heard: Heard, signal: AbortSignal) => Promise<void>
  readonly logger: Logger
}

export type Listener = { readonly close: () => Promise<void> }

/** Every failure is retried: an answer that cannot be parsed is no worse than none. */
const onFailure = (error: unknown): Failure => {
  const { code, message, retryAfterMs } = reasonOf(error)
  const ownMs = code === 'matrix_token_invalid' ? RETRY_TOKEN_MS : RETRY_MS
  return { facts: { code, err: message }, retryMs: retryAfterMs ?? ownMs }
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

class Reader {
  readonly #deps: ListenerDeps
  readonly #allowed: ReadonlySet<string>
  readonly #holder = randomUUID()
  readonly #sync: Repeating
  #userId: string | undefined

  constructor(deps: ListenerDeps) {
    this.#deps = deps
    this.#allowed = new Set(deps.allowedUsers)
    this.#sync = repeat({
      name: 'Matrix sync',
      everyMs: LOOK_MS,
      work: (signal) => this.#round(signal),
      onFailure,
      logger: deps.logger,
    })
    this.#sync.runNow()
  }

  async close(): Promise<void> {
    await this.#sync.stop()
    if (this.#userId === undefined) return
    await releaseMatrixSync(this.#deps.records.db, this.#userId, this.#holder).catch((error: unknown) => {
      this.#deps.logger.debug({ err: error }, 'the lease of the Matrix position was not given back; it runs out')
    })
  }

  /** @returns the delay until the next round, ms. */
  async #round(signal: AbortSignal): Promise<number> {
    const { homeserver, records, logger } = this.#deps
    const userId = await homeserver.userId(within(CALL_MS, signal))
    this.#userId = userId
    const lease = await leaseMatrixSync(records.db, userId, this.#holder, LEASE_MS)
    if (!lease) return LOOK_MS
    const lost = new AbortController()
    const renewing = repeat({
      name: 'renewal of the Matrix lease',
      everyMs: RENEW_MS,
      work: () => this.#renew(userId, lost),
      // A reader that loses its lease unnoticed repeats only what can safely be done twice.
      onFailure: () => ({ isExpected: true }),
      logger,
    })
    try {
      await this.#read(userId, lease.since, AbortSignal.any([signal, lost.signal]))
    } finally {
      await renewing.stop()
    }
    return 0
  }

  async #renew(userId: string, lost: AbortController): Promise<void> {
    if (!(await leaseMatrixSync(this.#deps.records.db, userId, this.#holder, LEASE_MS))) lost.abort()
  }

  async #read(userId: string, since: string | null, signal: AbortSignal): Promise<void> {
    const { homeserver, records } = this.#deps
    // A first look is answered at once, whatever the time. Synapse keeps its answer for minutes, and the position in it is that
    // of then: a time of its own makes it a new question.
    const timeout = since === null ? 1 + Math.floor(Math.random() * POLL_MS) : POLL_MS
    const query = { filter: SYNC_FILTER, timeout, ...(since === null ? {} : { since }) }
    const answer = await homeserver.sync(query, AbortSignal.any([signal, AbortSignal.timeout(POLL_MS + CALL_MS)]))
    const sync = readSync(answer, userId)
    for (const { roomId, sender } of sync.invitations)
      if (this.#allowed.has(sender)) await this.#accept(roomId, sender, signal)
    // What was said before the first look is not for us.
    if (since !== null) await this.#act(userId, sync, since, signal)
    await keepMatrixSync(records.db, userId, this.#holder, sync.next, LEASE_MS)
  }

  async #accept(roomId: string, sender: string, signal: AbortSignal): Promise<void> {
    const { homeserver, logger } = this.#deps
    try {
      await homeserver.join(roomId, within(CALL_MS, signal))
      logger.info({ room_id: roomId, invited_by: sender }, 'entered a Matrix room')
    } catch (error) {
      const { isUnreachable, message } = failureOf(error, CALL_MS)
      if (isUnreachable || signal.aborted) throw error
      logger.warn({ room_id: roomId, invited_by: sender, err: message }, 'a Matrix room was not entered')
    }
  }

  /** Those of a room one after the other, as they were said; rooms do not wait for each other. */
  async #act(userId: string, sync: Sync, since: string, signal: AbortSignal): Promise<void> {
    const acts = [...sync.rooms].map(async ([roomId, events]) => {
      const gap = sync.gaps.find((each) => each.roomId === roomId)
      const missed = gap ? await this.#readBack(roomId, gap.from, since, signal) : []
      for (const event of [...missed, ...events]) {
        const heard = hear(event, roomId, userId, this.#allowed)
        if (heard) await this.#deps.act(heard, signal)
      }
    })
    for (const act of await Promise.allSettled(acts)) if (act.status === 'rejected') throw act.reason
  }

  /** A room that may not be read any more has no page: the others are not to wait for it. */
  async #page(roomId: string, from: string, since: string, signal: AbortSignal): Promise<ReturnType<typeof readPage>> {
    const query = { ...PAGE_QUERY, from, to: since }
    try {
      return readPage(await this.#deps.homeserver.messages(roomId, query, within(CALL_MS, signal)))
    } catch (error) {
      const { code, message } = failureOf(error, CALL_MS)
      if (code !== 'matrix_refused') throw error
      this.#deps.logger.warn({ room_id: roomId, err: message }, 'what was said in a Matrix room could not be read')
      return { events: [], end: undefined }
    }
  }

  /** What a sync has left out of a room, oldest first. */
  async #readBack(roomId: string, from: string, since: string, signal: AbortSignal): Promise<readonly unknown[]> {
    const events: unknown[] = []
    let next: string | undefined = from
    for (let pages = 0; next !== undefined && pages < PAGES; pages += 1) {
      const page = await this.#page(roomId, next, since, signal)
      events.push(...page.events)
      next = page.events.length > 0 ? page.end : undefined
    }
    if (next !== undefined)
      this.#deps.logger.warn({ room_id: roomId }, 'too much was said in a Matrix room to read it all')
    return events.toReversed()
  }
}

/** Listens until it is closed; a homeserver that is away is waited for. */
export const startListener = (deps: ListenerDeps): Listener => new Reader(deps)
