// Keeps the memory blocks of Letta's agents: written when something has happened, seldom, by one writer; deleted after a time.

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

/** Blocks at once: Letta is asked a few things for each. */
const BATCH = 20
/** Beyond its time limit a write has so long to be written down before another writer takes it, ms. */
const WRITE_MS = 15_000

const toBlock = (row: LettaBlockRow): LettaBlock => ({
  taskId: row.task_id,
  agentId: row.agent_id,
  blockId: row.block_id,
})

type Failure = Extract<Awaited<ReturnType<LettaBlocks['remove']>>, { kind: 'failed' }>

const fail = async ({ records, config, logger }: Deps, row: LettaBlockRow, { code, message }: Failure) => {
  const { final, hint } = DELIVERY_FAILURES[code]
  const againMs = backoffMs(row.failures + 1, config.notifier.retryDelayMs, Math.random())
  await markBlockFailed(records.db, row.task_id, `${code}: ${message}. ${hint}`, final ? null : againMs)
  logger.warn({ task_id: row.task_id, code, err: message }, 'a memory block was not kept')
}

const write = async (deps: Deps, row: LettaBlockRow, intervalMs: number): Promise<void> => {
  const { db } = deps.records
  const task = await findTask(db, row.task_id)
  if (!task) return
  const events = await readLastEvents(db, task.task_id, BLOCK_EVENTS)
  const outcome = await deps.blocks.write(toBlock(row), (limit) => blockValue(task, events, limit))
  // The record was read before its events: what came between is written once more.
  if (outcome.kind === 'written') await markBlockWritten(db, row.task_id, outcome.blockId, task.last_seq, intervalMs)
  else if (outcome.kind === 'gone') await markBlockFailed(db, row.task_id, null, null)
  else await fail(deps, row, outcome)
}

const leaseMs = ({ config }: Deps): number => config.webhooks.timeoutMs + WRITE_MS

/** @param intervalMs - one block is written no more often. @throws SwitchyardError `database_unavailable` */
export const writeBlocks = async (deps: Deps, intervalMs: number): Promise<void> => {
  await addMissingBlocks(deps.records.db)
  const rows = await takeDueBlocks(deps.records.db, BATCH, leaseMs(deps))
  await Promise.all(rows.map((row) => write(deps, row, intervalMs)))
}

/** @param keptMs - after the end of its task; null: there are to be no blocks. @throws SwitchyardError `database_unavailable` */
export const removeBlocks = async (deps: Deps, keptMs: number | null): Promise<void> => {
  const rows = await takeExpiredBlocks(deps.records.db, keptMs, BATCH, leaseMs(deps))
  await Promise.all(
    rows.map(async (row) => {
      const outcome = await deps.blocks.remove(toBlock(row))
      if (outcome.kind === 'removed') await forgetBlock(deps.records.db, row.task_id)
      else await fail(deps, row, outcome)
    }),
  )
}
