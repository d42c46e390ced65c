// Sends what is due in a lane: some at once, each task's in order, nothing while the breaker is open. The rows say what is
// due, so a lane that is drained twice at a time, or whose process dies, loses nothing and keeps every delivery's id.

import {
  type Failed,
  failed,
  type LettaChannel,
  type Outcome,
  type Waiting,
  type WebhookChannel,
} from '@switchyard/channels'
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
  LETTA,
  markFailed,
  markSkipped,
  markWaiting,
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
/** Beyond its time limit, an attempt has so long to be written down before it counts as lost, ms. */
const WRITE_MS = 5_000

const BREAKER: BreakerRule = { failures: 5, firstMs: 5_000, mostMs: 300_000 }

export type LaneSenderDeps = {
  /** Under which this notifier reports that it is alive. */
  readonly id: string
  readonly config: Pick<Config, 'notifier' | 'webhooks'>
  readonly records: Records
  readonly webhooks: Pick<WebhookChannel, 'send'>
  readonly letta: Pick<LettaChannel, 'send'> | undefined
  readonly logger: Logger
}

const ABSENT = {
  event_gone: 'the event to tell is no longer in the record',
  endpoint_disabled: 'the endpoint is disabled or deleted',
  secret_missing: 'WEBHOOK_SECRET is not set, so the call cannot be signed',
  letta_disabled: 'LETTA_API_URL is not set',
} as const

/** An agent gets one message at a time. */
const isOneByOne = (lane: string): boolean => lane.startsWith(`${LETTA}:`)

/** A fault of the target as a whole; a callback's host is not to blame for the answers of one path on it. */
const blamesTarget = (row: DeliveryRow, failure: Failed): boolean =>
  failure.isUnreachable || (row.destination !== CALLBACK && failure.httpStatus !== null)

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
      const hands = await Promise.allSettled(Array.from({ length: isOneByOne(lane) ? 1 : HANDS }, hand))
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
    const limit = failures >= BREAKER.failures || isOneByOne(lane) ? 1 : HANDFUL
    const lease = { notifierId: this.#deps.id, ms: config.webhooks.timeoutMs + WRITE_MS }
    const rows = await takeDeliveries(records.db, lane, limit, lease)
    if (rows.length === 0) {
      await deferFollowers(records.db, lane)
      return false
    }
    const notices = await readNotices(records, rows, config.webhooks.secret)
    const arrivals = await Promise.all(notices.map((notice) => this.#deliver(notice)))
    if (failures > 0 && arrivals.includes(true)) await closeLane(records.db, lane)
    return true
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
    if (outcome.kind === 'waiting') {
      await this.#wait(row, outcome)
      return false
    }
    if (outcome.kind === 'skipped') {
      await markSkipped(this.#deps.records.db, row, { ...outcome.why, http_status: null })
      this.#deps.logger.info({ ...facts, code: outcome.why.code }, 'a delivery was not needed any more')
      return false
    }
    await this.#fail(row, outcome)
    this.#deps.logger.warn({ ...facts, code: outcome.code, err: outcome.message }, 'a delivery did not arrive')
    return false
  }

  async #send(notice: Notice): Promise<Outcome> {
    switch (notice.kind) {
      case 'call':
        return await this.#deps.webhooks.send(notice.call)
      case 'letta':
        return (await this.#deps.letta?.send(notice.message)) ?? failed('letta_disabled', ABSENT.letta_disabled)
      case 'settled':
        return notice.outcome
      case 'none':
        return failed(notice.code, ABSENT[notice.code])
    }
  }

  /** Its whole lane waits: what comes next would find the target at work as well. */
  async #wait(row: DeliveryRow, { why, runId, afterMs }: Waiting): Promise<void> {
    const { db } = this.#deps.records
    await markWaiting(db, row, why && { ...why, http_status: null }, runId, afterMs)
    await holdLane(db, row.lane, afterMs)
  }

  async #fail(row: DeliveryRow, outcome: Failed): Promise<void> {
    const { records, config } = this.#deps
    const { code, message, httpStatus, retryAfterMs } = outcome
    const waitMs = Math.max(backoffMs(row.attempts, config.notifier.retryDelayMs, Math.random()), retryAfterMs ?? 0)
    const failure = { code, message, http_status: httpStatus }
    await markFailed(records.db, row, failure, DELIVERY_FAILURES[code].final ? null : waitMs)
    const isEndpoint = row.destination !== CALLBACK
    if (code === 'gone' && isEndpoint)
      await setDisabled(records.db, row.destination as WebhookId, 'the target answered 410 Gone')
    if (blamesTarget(row, outcome)) await countLaneFailure(records.db, row.lane, BREAKER, 0.8 + 0.4 * Math.random())
    if (retryAfterMs !== null && isEndpoint) await holdLane(records.db, row.lane, retryAfterMs)
  }
}
