// Sends what is due in a lane: some at once, each task's in order, nothing while the breaker is open. The rows say what is
// due, so a lane that is drained twice at a time, or whose process dies, loses nothing and keeps every delivery's id.

import { type Failed, failed, type Outcome, type WebhookChannel } from '@switchyard/channels'
import type { MatrixChannel } from '@switchyard/channels/matrix'
import type { Config } from '@switchyard/config'
import { DELIVERY_FAILURES, type WebhookId } from '@switchyard/contracts'
import {
  type BreakerRule,
  CALLBACK,
  closeLane,
  countLaneFailure,
  type DeliveryRow,
  deferFollowers,
  holdLane,
  markFailed,
  type Records,
  readLane,
  setDisabled,
  takeDeliveries,
} from '@switchyard/records'
import type { Logger } from 'pino'
import { Arrivals } from './arrivals.ts'
import { backoffMs } from './backoff.ts'
import { type Notice, readNotices } from './notices.ts'

/** Deliveries of one lane at once: so many times a handful that is taken together. */
const HANDS = 2
const HANDFUL = 16
/** A homeserver is one server for all rooms, and calls of its own belong to a message: no more than it is sent at once. */
const MATRIX_HANDFUL = 4
/** Beyond its time limit, an attempt has so long to be written down before it counts as lost, ms. */
const WRITE_MS = 5_000

const BREAKER: BreakerRule = { failures: 5, firstMs: 5_000, mostMs: 300_000 }

export type LaneSenderDeps = {
  readonly config: Pick<Config, 'notifier' | 'webhooks'>
  readonly records: Records
  readonly webhooks: Pick<WebhookChannel, 'send'>
  /** Undefined where Matrix is off. */
  readonly matrix: Pick<MatrixChannel, 'send' | 'timeoutMs'> | undefined
  readonly logger: Logger
}

const ABSENT = {
  event_gone: 'the event to tell is no longer in the record',
  endpoint_disabled: 'the endpoint is disabled or deleted',
  secret_missing: 'WEBHOOK_SECRET is not set, so the call cannot be signed',
  matrix_not_configured: 'Matrix is not set up for the notifier',
} as const

/** The destination, and the lane, of what is told in Matrix. */
const MATRIX = 'matrix'

/** What one answer says of one path, or one room, and not of all that the lane leads to. */
const isShared = ({ destination }: DeliveryRow): boolean => destination === CALLBACK || destination === MATRIX

/** A fault of the target as a whole; a callback's host is not to blame for the answers of one path on it. */
const blamesTarget = (row: DeliveryRow, failure: Failed): boolean =>
  failure.isUnreachable || (!isShared(row) && failure.httpStatus !== null)

export class LaneSender {
  readonly #deps: LaneSenderDeps
  readonly #arrivals: Arrivals
  readonly #active = new Set<string>()
  #isStopping = false

  constructor(deps: LaneSenderDeps) {
    this.#deps = deps
    this.#arrivals = new Arrivals(deps.records)
  }

  isActive(lane: string): boolean {
    return this.#active.has(lane)
  }

  /** What is being sent is sent to its end; nothing more is taken. */
  stop(): void {
    this.#isStopping = true
  }

  /** Until nothing more is due or the breaker has opened. @throws SwitchyardError `database_unavailable` */
  async drain(lane: string): Promise<void> {
    if (this.#active.has(lane)) return
    this.#active.add(lane)
    try {
      const hand = async () => {
        while (!this.#isStopping && (await this.#sendSome(lane)));
      }
      const hands = await Promise.allSettled(Array.from({ length: HANDS }, hand))
      for (const each of hands) if (each.status === 'rejected') throw each.reason
    } finally {
      this.#active.delete(lane)
    }
  }

  async #sendSome(lane: string): Promise<boolean> {
    const { records, config } = this.#deps
    const { failures, isOpen } = await readLane(records.db, lane)
    if (isOpen) return false
    // One that failed lately is tried with a delivery a hand before it gets more.
    const limit = failures >= BREAKER.failures ? 1 : lane === MATRIX ? MATRIX_HANDFUL : HANDFUL
    const rows = await takeDeliveries(records.db, lane, limit, this.#timeLimit(lane) + WRITE_MS)
    if (rows.length === 0) {
      await deferFollowers(records.db, lane)
      return false
    }
    const notices = await readNotices(records, rows, config.webhooks.secret)
    const arrivals = await Promise.all(notices.map((notice) => this.#deliver(notice)))
    if (failures > 0 && arrivals.includes(true)) await closeLane(records.db, lane)
    return true
  }

  #timeLimit(lane: string): number {
    const { config, matrix } = this.#deps
    return lane === MATRIX && matrix ? matrix.timeoutMs : config.webhooks.timeoutMs
  }

  async #send(notice: Notice): Promise<Outcome> {
    if (notice.kind === 'call') return await this.#deps.webhooks.send(notice.call)
    if (notice.kind === 'matrix' && this.#deps.matrix) return await this.#deps.matrix.send(notice.notice)
    const code = notice.kind === 'none' ? notice.code : 'matrix_not_configured'
    return failed(code, ABSENT[code])
  }

  /** @returns whether it arrived. */
  async #deliver(notice: Notice): Promise<boolean> {
    const { row } = notice
    const outcome = await this.#send(notice)
    const facts = { delivery_id: row.id, task_id: row.task_id, destination: row.destination, attempt: row.attempts }
    if (outcome.kind === 'arrived') {
      await this.#arrivals.add(row)
      this.#deps.logger.info(facts, 'delivered')
      return true
    }
    await this.#fail(row, outcome)
    this.#deps.logger.warn({ ...facts, code: outcome.code, err: outcome.message }, 'a delivery did not arrive')
    return false
  }

  async #fail(row: DeliveryRow, outcome: Failed): Promise<void> {
    const { records, config } = this.#deps
    const { code, message, httpStatus, retryAfterMs } = outcome
    const ownMs = backoffMs(row.attempts, config.notifier.retryDelayMs, Math.random())
    // A homeserver counts what all tasks say together: being put off is no failure of this one.
    const isPutOff = row.destination === MATRIX && retryAfterMs !== null
    const waitMs = isPutOff ? retryAfterMs : Math.max(ownMs, retryAfterMs ?? 0)
    const failure = { code, message, http_status: httpStatus }
    await markFailed(records.db, row, failure, DELIVERY_FAILURES[code].final ? null : waitMs)
    const isEndpoint = row.destination !== CALLBACK
    if (code === 'gone' && isEndpoint)
      await setDisabled(records.db, row.destination as WebhookId, 'the target answered 410 Gone')
    if (blamesTarget(row, outcome)) await countLaneFailure(records.db, row.lane, BREAKER, 0.8 + 0.4 * Math.random())
    if (retryAfterMs !== null && isEndpoint) await holdLane(records.db, row.lane, retryAfterMs)
  }
}
