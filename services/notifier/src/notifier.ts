// The notifier: sends what the outbox holds. The rows are the truth; the queue is filled from them, again and again.

import { randomUUID } from 'node:crypto'
import { WebhookChannel } from '@switchyard/channels'
import type { Config } from '@switchyard/config'
import { repeat } from '@switchyard/process'
import { type Bus, DeliveryQueue, DeliveryWorker, type QueueConnection } from '@switchyard/queue'
import { deleteOldDeliveries, findDueLanes, giveUpOld, LETTA, type Records, switchChannel } from '@switchyard/records'
import type { Logger } from 'pino'
import { removeBlocks, writeBlocks } from './blocks.ts'
import { escalate } from './escalate.ts'
import { startHeartbeat } from './heartbeat.ts'
import { LaneSender } from './lane-sender.ts'
import { startMatrix } from './matrix/start.ts'

/** How soon what was written is seen, ms. One look is one query, whatever waits. */
const LOOK_EVERY_MS = 200
const CLEAR_EVERY_MS = 10_000
const ESCALATE_EVERY_MS = 1_000
const BLOCKS_EVERY_MS = 1_000
const BATCH = 500
/** Lanes that are being sent at once: a dead one holds its place for one time limit, then its breaker is open. */
const LANES_AT_ONCE = 200

export type NotifierDeps = {
  readonly config: Pick<Config, 'notifier' | 'webhooks' | 'letta' | 'retention' | 'matrix'>
  readonly records: Records
  readonly connection: QueueConnection
  readonly bus: Pick<Bus, 'publishTask' | 'publishCommand' | 'publishHint' | 'onHint'>
  readonly logger: Logger
}

export type Notifier = {
  /** When it last looked for what is due, ms since the epoch. */
  readonly lastLook: () => number
  /** Sends what it has begun to its end, and no more. */
  readonly close: () => Promise<void>
}

/** @throws SwitchyardError `queue_unavailable` */
export const startNotifier = async (deps: NotifierDeps): Promise<Notifier> => {
  const { config, records, connection, logger } = deps
  const webhooks = new WebhookChannel({ ...config.webhooks, userAgent: 'Switchyard' })
  const lettaOptions = config.letta && { ...config.letta, timeoutMs: config.webhooks.timeoutMs }
  const ofLetta = lettaOptions && (await import('@switchyard/channels/letta'))
  const letta = ofLetta && new ofLetta.LettaChannel(lettaOptions)
  await switchChannel(records.db, LETTA, letta !== undefined)
  const id = `notifier_${randomUUID()}`
  const matrix = await startMatrix(deps)
  const sender = new LaneSender({ id, config, records, webhooks, letta, matrix: matrix?.channel, logger })
  const queue = new DeliveryQueue(connection, logger)
  await queue.ready()
  const heartbeat = await startHeartbeat(records, id, logger)
  const worker = new DeliveryWorker({
    connection,
    concurrency: LANES_AT_ONCE,
    drain: (lane) => sender.drain(lane),
    logger,
  })
  await worker.start()

  let lookedAt = Date.now()
  const look = async () => {
    const due = await findDueLanes(records.db, BATCH)
    const lanes = due.filter((lane) => !sender.isActive(lane))
    if (lanes.length > 0) await queue.addAll(lanes)
    lookedAt = Date.now()
  }
  const clear = async () => {
    await giveUpOld(records.db, config.notifier.giveUpMs, BATCH)
    await deleteOldDeliveries(records.db, config.retention.eventsMs, BATCH)
  }
  const clearEveryMs = Math.min(CLEAR_EVERY_MS, config.notifier.giveUpMs)
  const rounds = [
    repeat({ name: 'polling for due deliveries', everyMs: LOOK_EVERY_MS, work: look, logger }),
    repeat({
      name: 'escalation of unanswered requests',
      everyMs: ESCALATE_EVERY_MS,
      work: () => escalate(deps, BATCH),
      logger,
    }),
    repeat({ name: 'delivery retention', everyMs: clearEveryMs, work: clear, logger }),
  ]
  if (ofLetta) {
    const blockDeps = { config, records, blocks: new ofLetta.LettaBlocks(lettaOptions), logger }
    const kept = lettaOptions.blocks
    const remove = () => removeBlocks(blockDeps, kept?.keptMs ?? null)
    rounds.push(repeat({ name: 'removal of memory blocks', everyMs: clearEveryMs, work: remove, logger }))
    if (kept) {
      const write = () => writeBlocks(blockDeps, kept.intervalMs)
      rounds.push(repeat({ name: 'update of memory blocks', everyMs: BLOCKS_EVERY_MS, work: write, logger }))
    }
  }
  if (config.webhooks.secret === undefined)
    logger.info('WEBHOOK_SECRET is not set: tasks with a callback_url are kept, and their calls are not sent')
  logger.info('notifier ready')
  return {
    lastLook: () => lookedAt,
    close: async () => {
      sender.stop()
      for (const round of rounds) await round.stop()
      await matrix?.close()
      await worker.close()
      await queue.close()
      await heartbeat.stop()
      logger.info('notifier stopped')
    },
  }
}
