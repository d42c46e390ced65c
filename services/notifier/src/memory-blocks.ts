// Maintains the memory blocks of Letta agents: updates them after changes, at a limited rate and by one
// notifier at a time, and deletes them some time after their task has ended.

import { BLOCK_EVENTS, blockValue, type LettaBlock, type LettaBlocks } from '@switchyard/channels'
import type { Config } from '@switchyard/config'
import { DELIVERY_FAILURES } from '@switchyard/contracts'
import {
  addMissingBlocks,
  findTask,
  forgetBlock,
  type LettaBlockRow,
  markBlockFailed,
  markBlockWritten,
  type Records,
  readLastEvents,
  takeDueBlocks,
  takeExpiredBlocks,
} from '@switchyard/records'
import type { Logger } from 'pino'
import { backoffMs } from './backoff.ts'

type Deps = {
  readonly config: Pick<Config, 'notifier' | 'webhooks'>
  readonly records: Records
  readonly blocks: Pick<LettaBlocks, 'write' | 'remove'>
  readonly logger: Logger
}

/** Blocks per round: each one takes several calls to Letta. */
const BATCH = 20
/** Added to the time limit of the calls, to record the outcome before another notifier retries, ms. */
const RECORD_MS = 15_000

const toBlock = (row: LettaBlockRow): LettaBlock => ({
  taskId: row.task_id,
  agentId: row.agent_id,
  blockId: row.block_id,
})

type Failure = Extract<Awaited<ReturnType<LettaBlocks['remove']>>, { kind: 'failed' }>

const recordFailure = async ({ records, config, logger }: Deps, row: LettaBlockRow, { code, message }: Failure) => {
  const { final, hint } = DELIVERY_FAILURES[code]
  const retryMs = backoffMs(row.failures + 1, config.notifier.retryDelayMs, Math.random())
  await markBlockFailed(records.db, row.task_id, `${code}: ${message}. ${hint}`, final ? null : retryMs)
  logger.warn({ task_id: row.task_id, code, err: message }, 'failed to update a memory block')
}

const write = async (deps: Deps, row: LettaBlockRow, intervalMs: number): Promise<void> => {
  const { db } = deps.records
  const task = await findTask(db, row.task_id)
  if (!task) return
  const events = await readLastEvents(db, task.task_id, BLOCK_EVENTS)
  const outcome = await deps.blocks.write(toBlock(row), (limit) => blockValue(task, events, limit))
  // The task was read before its events: an event written in between updates the block once more.
  if (outcome.kind === 'written') await markBlockWritten(db, row.task_id, outcome.blockId, task.last_seq, intervalMs)
  else if (outcome.kind === 'deleted') await markBlockFailed(db, row.task_id, null, null)
  else await recordFailure(deps, row, outcome)
}

const leaseMs = ({ config }: Deps): number => config.webhooks.timeoutMs + RECORD_MS

/**
 * Writes the blocks that are due.
 *
 * @param intervalMs - minimum time between two updates of one block.
 * @throws SwitchyardError `database_unavailable`
 */
export const writeBlocks = async (deps: Deps, intervalMs: number): Promise<void> => {
  await addMissingBlocks(deps.records.db)
  const rows = await takeDueBlocks(deps.records.db, BATCH, leaseMs(deps))
  await Promise.all(rows.map((row) => write(deps, row, intervalMs)))
}

/**
 * Removes the blocks of tasks that ended long ago.
 *
 * @param keptMs - time after the end of the task; null removes all blocks.
 * @throws SwitchyardError `database_unavailable`
 */
export const removeBlocks = async (deps: Deps, keptMs: number | null): Promise<void> => {
  const rows = await takeExpiredBlocks(deps.records.db, keptMs, BATCH, leaseMs(deps))
  await Promise.all(
    rows.map(async (row) => {
      const outcome = await deps.blocks.remove(toBlock(row))
      if (outcome.kind === 'removed') await forgetBlock(deps.records.db, row.task_id)
      else await recordFailure(deps, row, outcome)
    }),
  )
}
