// Sends the deliveries that are due at a destination: several at a time, those of a task in order, and
// none while the circuit breaker is open. The database decides what is due, so a destination that is
// processed twice at the same time, or by a process that dies, loses nothing and keeps the delivery ids.

import {
  type Failed,
  failed,
  type LettaChannel,
  type Outcome,
  type Waiting,
  type WebhookChannel,
} from '@switchyard/channels'
import type { MatrixChannel } from '@switchyard/channels/matrix'
import type { Config } from '@switchyard/config'
import { DELIVERY_FAILURES, type WebhookId } from '@switchyard/contracts'
import {
  type BreakerRule,
  CALLBACK,
  closeBreaker,
  countDestinationFailure,
  type DeliveryRow,
  deferFollowers,
  holdDestination,
  LETTA,
  markFailed,
  markSkipped,
  markWaiting,
  type Records,
  readBreaker,
  setDisabled,
  takeDeliveries,
} from '@switchyard/records'
import type { Logger } from 'pino'
import { backoffMs } from './backoff.ts'
import { DeliveryReceipts } from './delivery-receipts.ts'
import { type PreparedDelivery, prepareDeliveries } from './prepared-deliveries.ts'

/** Each destination has this many senders, and each sender takes this many deliveries at a time. */
const SENDERS = 2
const BATCH = 16
/** All rooms share one homeserver, and a message takes several calls: together no more than it is sent at a time. */
const MATRIX_BATCH = 4
/** Added to the time limit of an attempt, to record the outcome before the lease expires, ms. */
const RECORD_MS = 5_000

const BREAKER: BreakerRule = { failures: 5, firstMs: 5_000, mostMs: 300_000 }

export type DestinationSenderDeps = {
  /** The id under which this notifier reports its heartbeat. */
  readonly id: string
  readonly config: Pick<Config, 'notifier' | 'webhooks'>
  readonly records: Records
  readonly webhooks: Pick<WebhookChannel, 'send'>
  readonly letta: Pick<LettaChannel, 'send'> | undefined
  /** Undefined if Matrix is not configured. */
  readonly matrix: Pick<MatrixChannel, 'send' | 'timeoutMs'> | undefined
  readonly logger: Logger
}

const IMPOSSIBLE = {
  event_gone: 'the event is no longer in the record',
  endpoint_disabled: 'the endpoint is disabled or deleted',
  secret_missing: 'WEBHOOK_SECRET is not set, so the call cannot be signed',
  letta_disabled: 'LETTA_API_URL is not set',
  matrix_not_configured: 'Matrix is not configured for the notifier',
} as const

/** The key of the Matrix destination. */
const MATRIX = 'matrix'

/** Whether a destination receives one delivery at a time, as an agent does. */
const isSequential = (destination: string): boolean => destination.startsWith(`${LETTA}:`)

/** Whether an error response may concern one path or room only, and not the destination as a whole. */
const isShared = ({ destination }: DeliveryRow): boolean => destination === CALLBACK || destination === MATRIX

/** Whether a failure counts against the breaker. An error response of one callback path does not: others share its host. */
const countsForBreaker = (row: DeliveryRow, failure: Failed): boolean =>
  failure.isUnreachable || (!isShared(row) && failure.httpStatus !== null)

export class DestinationSender {
  readonly #deps: DestinationSenderDeps
  readonly #receipts: DeliveryReceipts
  readonly #active = new Set<string>()
  #isStopping = false

  constructor(deps: DestinationSenderDeps) {
    this.#deps = deps
    this.#receipts = new DeliveryReceipts(deps.records)
  }

  isActive(destination: string): boolean {
    return this.#active.has(destination)
  }

  /** Finishes the deliveries in progress and takes no more. */
  stop(): void {
    this.#isStopping = true
  }

  /**
   * Sends deliveries until none is due or the breaker is open.
   *
   * @param destination - its key: the id of an endpoint, `matrix`, a callback's host, or an agent.
   * @throws SwitchyardError `database_unavailable`
   */
  async drain(destination: string): Promise<void> {
    if (this.#active.has(destination)) return
    this.#active.add(destination)
    try {
      const send = async () => {
        while (!this.#isStopping && (await this.#sendBatch(destination)));
      }
      const count = isSequential(destination) ? 1 : SENDERS
      const senders = await Promise.allSettled(Array.from({ length: count }, send))
      for (const sender of senders) if (sender.status === 'rejected') throw sender.reason
    } finally {
      this.#active.delete(destination)
    }
  }

  /** @returns whether there may be more to send. */
  async #sendBatch(destination: string): Promise<boolean> {
    const { records, config } = this.#deps
    const { failures, isOpen } = await readBreaker(records.db, destination)
    if (isOpen) return false
    // After failures, one delivery per sender tests the destination.
    const batch = destination === MATRIX ? MATRIX_BATCH : BATCH
    const limit = failures >= BREAKER.failures || isSequential(destination) ? 1 : batch
    const lease = { notifierId: this.#deps.id, ms: this.#timeoutMs(destination) + RECORD_MS }
    const rows = await takeDeliveries(records.db, destination, limit, lease)
    if (rows.length === 0) {
      await deferFollowers(records.db, destination)
      return false
    }
    const prepared = await prepareDeliveries(records, rows, config.webhooks.secret)
    const delivered = await Promise.all(prepared.map((delivery) => this.#deliver(delivery)))
    if (failures > 0 && delivered.includes(true)) await closeBreaker(records.db, destination)
    return true
  }

  #timeoutMs(destination: string): number {
    const { config, matrix } = this.#deps
    return destination === MATRIX && matrix ? matrix.timeoutMs : config.webhooks.timeoutMs
  }

  /** Sends one delivery and records the outcome. @returns whether it was delivered. */
  async #deliver(delivery: PreparedDelivery): Promise<boolean> {
    const { row } = delivery
    const outcome = await this.#send(delivery)
    const facts = { delivery_id: row.id, task_id: row.task_id, destination: row.destination, attempt: row.attempts }
    switch (outcome.kind) {
      case 'delivered':
        await this.#receipts.add(row)
        this.#deps.logger.info(facts, 'delivered')
        return true
      case 'waiting':
        await this.#recordWaiting(row, outcome)
        return false
      case 'skipped':
        await markSkipped(this.#deps.records.db, row, { ...outcome.reason, http_status: null })
        this.#deps.logger.info({ ...facts, code: outcome.reason.code }, 'delivery no longer needed; skipped')
        return false
      case 'failed':
        await this.#recordFailure(row, outcome)
        this.#deps.logger.warn({ ...facts, code: outcome.code, err: outcome.message }, 'delivery failed')
        return false
    }
  }

  async #send(delivery: PreparedDelivery): Promise<Outcome> {
    const { webhooks, matrix, letta } = this.#deps
    switch (delivery.kind) {
      case 'webhook':
        return await webhooks.send(delivery.call)
      case 'matrix':
        return (
          (await matrix?.send(delivery.notification)) ??
          failed('matrix_not_configured', IMPOSSIBLE.matrix_not_configured)
        )
      case 'letta':
        return (await letta?.send(delivery.message)) ?? failed('letta_disabled', IMPOSSIBLE.letta_disabled)
      case 'decided':
        return delivery.outcome
      case 'impossible':
        return failed(delivery.code, IMPOSSIBLE[delivery.code])
    }
  }

  /** The whole destination waits: the next delivery would find the target busy too. */
  async #recordWaiting(row: DeliveryRow, { reason, runId, afterMs }: Waiting): Promise<void> {
    const { db } = this.#deps.records
    await markWaiting(db, row, reason && { ...reason, http_status: null }, runId, afterMs)
    await holdDestination(db, row.lane, afterMs)
  }

  async #recordFailure(row: DeliveryRow, outcome: Failed): Promise<void> {
    const { records, config } = this.#deps
    const { code, message, httpStatus, retryAfterMs } = outcome
    const ownMs = backoffMs(row.attempts, config.notifier.retryDelayMs, Math.random())
    // The limit of a homeserver covers all tasks together, so its delay is used without backoff.
    const isRateLimited = row.destination === MATRIX && retryAfterMs !== null
    const waitMs = isRateLimited ? retryAfterMs : Math.max(ownMs, retryAfterMs ?? 0)
    const failure = { code, message, http_status: httpStatus }
    await markFailed(records.db, row, failure, DELIVERY_FAILURES[code].final ? null : waitMs)
    const isEndpoint = row.destination !== CALLBACK
    if (code === 'gone' && isEndpoint)
      await setDisabled(records.db, row.destination as WebhookId, 'the target answered 410 Gone')
    if (countsForBreaker(row, outcome))
      await countDestinationFailure(records.db, row.lane, BREAKER, 0.8 + 0.4 * Math.random())
    if (retryAfterMs !== null && isEndpoint) await holdDestination(records.db, row.lane, retryAfterMs)
  }
}
