// The record of the task that a run owns: every write carries the run's generation, and readers are
// notified of it.

import { setTimeout as delay } from 'node:timers/promises'
import { isSwitchyardError, isTerminal, type NewEvent, SwitchyardError } from '@switchyard/contracts'
import type { Bus } from '@switchyard/queue'
import {
  type Advanced,
  advance,
  type Change,
  findTaskRow,
  type Records,
  releaseTask,
  type TaskRow,
} from '@switchyard/records'
import type { Logger } from 'pino'

export type RunChange = Omit<Change, 'taskId' | 'generation'>

const RETRY_MS = { first: 200, most: 2_000 } as const

export class RunRecord {
  readonly #records: Records
  readonly #bus: Bus
  readonly #logger: Logger
  readonly #generation: number
  #row: TaskRow

  /** @param row - the task as this worker claimed it. */
  constructor(records: Records, bus: Bus, logger: Logger, row: TaskRow) {
    this.#records = records
    this.#bus = bus
    this.#logger = logger
    this.#row = row
    this.#generation = row.generation
  }

  get db(): Records['db'] {
    return this.#records.db
  }

  /** The row as this run last read or wrote it. */
  get row(): TaskRow {
    return this.#row
  }

  /**
   * Writes a change. Retries while the database is unavailable, because what happened in the
   * session stays true.
   *
   * @returns null if the change's own conditions (`from`, `messagesSent`, `whilePauseAsked`) are
   *   not met.
   * @throws SwitchyardError `stale_owner` if the task has another owner or has ended.
   */
  async tryWrite(change: RunChange): Promise<Advanced | null> {
    const advanced = await this.untilAvailable(() =>
      advance(this.#records.db, { ...change, taskId: this.#row.id, generation: this.#generation }),
    )
    if (!advanced) {
      await this.refresh()
      return null
    }
    this.#row = advanced.task
    if (advanced.events.length > 0) this.#bus.publishTask(this.#row.id, { kind: 'events', events: advanced.events })
    else if (change.to) this.#bus.publishTask(this.#row.id, { kind: 'changed' })
    return advanced
  }

  /**
   * Writes a change that has no conditions of its own.
   *
   * @throws SwitchyardError `stale_owner`
   */
  async write(change: RunChange): Promise<void> {
    if (await this.tryWrite(change)) return
    throw new SwitchyardError(
      'stale_owner',
      `the task is ${this.#row.status} and cannot become ${change.to ?? 'anything else'}`,
    )
  }

  async append(events: readonly NewEvent[]): Promise<void> {
    if (events.length > 0) await this.write({ events })
  }

  /** Reads the row again. @throws SwitchyardError `stale_owner` */
  async refresh(): Promise<TaskRow> {
    const row = await this.untilAvailable(() => findTaskRow(this.#records.db, this.#row.id))
    if (!row || row.generation !== this.#generation || isTerminal(row.status))
      throw new SwitchyardError(
        'stale_owner',
        `generation ${this.#generation} of ${this.#row.id} is no longer the owner`,
      )
    this.#row = row
    return row
  }

  /** Gives up ownership. The task keeps its status, and another worker continues it. */
  async release(): Promise<void> {
    await this.untilAvailable(() => releaseTask(this.#records.db, this.#row.id, this.#generation))
  }

  /** Makes a call to the database, again and again while the database is unavailable. */
  async untilAvailable<T>(call: () => Promise<T>): Promise<T> {
    for (let wait: number = RETRY_MS.first; ; wait = Math.min(wait * 2, RETRY_MS.most)) {
      try {
        return await call()
      } catch (error) {
        if (!isSwitchyardError(error, 'database_unavailable')) throw error
        this.#logger.warn({ task_id: this.#row.id, err: error.message }, 'database unavailable; retrying')
        await delay(wait * (0.5 + Math.random() / 2))
      }
    }
  }
}
