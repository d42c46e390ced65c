// The notifier: sends the deliveries in the outbox. The database is the source of truth; the queue is
// filled from it continuously.

import { randomUUID } from 'node:crypto'
import { WebhookChannel } from '@switchyard/channels'
import type { Config } from '@switchyard/config'
import { repeat } from '@switchyard/process'
import { type Bus, DeliveryQueue, DeliveryWorker, type QueueConnection } from '@switchyard/queue'
import {
  deleteOldDeliveries,
  findDueDestinations,
  giveUpOld,
  LETTA,
  type Records,
  switchChannel,
} from '@switchyard/records'
import type { Logger } from 'pino'
import { DestinationSender } from './destination-sender.ts'
import { escalateRequests } from './escalation.ts'
import { startHeartbeat } from './heartbeat.ts'
import { startMatrix } from './matrix/start.ts'
import { removeBlocks, writeBlocks } from './memory-blocks.ts'

/** Interval of the poll for due deliveries, ms. A poll is one query, however many are due. */
const POLL_EVERY_MS = 200
const RETENTION_EVERY_MS = 10_000
const ESCALATE_EVERY_MS = 1_000
const BLOCKS_EVERY_MS = 1_000
const BATCH = 500
/** Destinations at a time. A dead one takes a slot for one time limit, then its breaker opens. */
const CONCURRENCY = 200

export type NotifierDeps = {
  readonly config: Pick<Config, 'notifier' | 'webhooks' | 'letta' | 'retention' | 'matrix'>
  readonly records: Records
  readonly connection: QueueConnection
  readonly bus: Pick<Bus, 'publishTask' | 'publishCommand' | 'publishHint' | 'onHint'>
  readonly logger: Logger
}

export type Notifier = {
  /** The time of the last poll for due deliveries, ms since the epoch. */
  readonly lastPollAt: () => number
  /** Finishes the deliveries in progress and stops. */
  readonly close: () => Promise<void>
}

/**
 * Starts the channels that are configured and sends deliveries until the notifier is closed.
 *
 * @throws SwitchyardError `queue_unavailable`, `database_unavailable`
 */
export const startNotifier = async (deps: NotifierDeps): Promise<Notifier> => {
  const { config, records, connection, logger } = deps
  const webhooks = new WebhookChannel({ ...config.webhooks, userAgent: 'Switchyard' })
  const lettaOptions = config.letta && { ...config.letta, timeoutMs: config.webhooks.timeoutMs }
  const lettaModule = lettaOptions && (await import('@switchyard/channels/letta'))
  const letta = lettaModule && new lettaModule.LettaChannel(lettaOptions)
  await switchChannel(records.db, LETTA, letta !== undefined)
  const id = `notifier_${randomUUID()}`
  const matrix = await startMatrix(deps)
  const sender = new DestinationSender({ id, config, records, webhooks, letta, matrix: matrix?.channel, logger })
  const queue = new DeliveryQueue(connection, logger)
  await queue.ready()
  const heartbeat = await startHeartbeat(records, id, logger)
  const worker = new DeliveryWorker({
    connection,
    concurrency: CONCURRENCY,
    drain: (destination) => sender.drain(destination),
    logger,
  })
  await worker.start()

  let polledAt = Date.now()
  const poll = async () => {
    const due = await findDueDestinations(records.db, BATCH)
    const idle = due.filter((destination) => !sender.isActive(destination))
    if (idle.length > 0) await queue.addAll(idle)
    polledAt = Date.now()
  }
  const applyRetention = async () => {
    await giveUpOld(records.db, config.notifier.giveUpMs, BATCH)
    await deleteOldDeliveries(records.db, config.retention.eventsMs, BATCH)
  }
  const escalate = () => escalateRequests(deps, BATCH)
  const retentionEveryMs = Math.min(RETENTION_EVERY_MS, config.notifier.giveUpMs)
  const loops = [
    repeat({ name: 'polling for due deliveries', everyMs: POLL_EVERY_MS, work: poll, logger }),
    repeat({ name: 'escalation of requests', everyMs: ESCALATE_EVERY_MS, work: escalate, logger }),
    repeat({ name: 'delivery retention', everyMs: retentionEveryMs, work: applyRetention, logger }),
  ]
  if (lettaModule) {
    const blockDeps = { config, records, blocks: new lettaModule.LettaBlocks(lettaOptions), logger }
    const settings = lettaOptions.blocks
    const remove = () => removeBlocks(blockDeps, settings?.keptMs ?? null)
    loops.push(repeat({ name: 'removal of memory blocks', everyMs: retentionEveryMs, work: remove, logger }))
    if (settings) {
      const write = () => writeBlocks(blockDeps, settings.intervalMs)
      loops.push(repeat({ name: 'update of memory blocks', everyMs: BLOCKS_EVERY_MS, work: write, logger }))
    }
  }
  if (config.webhooks.secret === undefined)
    logger.info('WEBHOOK_SECRET is not set; calls to a callback_url cannot be sent')
  logger.info('notifier ready')
  return {
    lastPollAt: () => polledAt,
    close: async () => {
      sender.stop()
      for (const loop of loops) await loop.stop()
      await matrix?.close()
      await worker.close()
      await queue.close()
      await heartbeat.stop()
      logger.info('notifier stopped')
    },
  }
}
