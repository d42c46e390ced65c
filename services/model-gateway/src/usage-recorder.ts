// Adds up the calls of models per session, and writes the sums to the database.

import type { Logger } from '@switchyard/config'
import type { ModelCall } from '@switchyard/model-gateway'
import { type Repeating, repeat } from '@switchyard/process'
import { type ModelUsage, type Records, recordModelUsage } from '@switchyard/records'

const WRITE_INTERVAL_MS = 1_000
/** While the database is unavailable, more sessions than this are not counted. */
const MAX_PENDING = 10_000

export class UsageRecorder {
  readonly #logger: Logger
  #pending = new Map<string, ModelUsage>()
  #records: Records | undefined
  #writes: Repeating | undefined

  constructor(logger: Logger) {
    this.#logger = logger
  }

  add(call: ModelCall): void {
    const { serverId, sessionId, parentSessionId, provider, status, tokens } = call
    const isFailed = status < 200 || status > 299
    this.#add({
      server_id: serverId,
      session_id: sessionId ?? '',
      parent_session_id: parentSessionId,
      provider,
      model: call.model ?? '',
      requests: 1,
      failed_requests: isFailed ? 1 : 0,
      input_tokens: tokens.input,
      output_tokens: tokens.output,
      reasoning_tokens: tokens.reasoning,
      cache_read_tokens: tokens.cacheRead,
      cache_write_tokens: tokens.cacheWrite,
    })
  }

  #add(usage: ModelUsage): void {
    const key = JSON.stringify([usage.server_id, usage.session_id, usage.provider, usage.model])
    const before = this.#pending.get(key)
    if (before) this.#pending.set(key, addUsage(before, usage))
    else if (this.#pending.size < MAX_PENDING) this.#pending.set(key, usage)
  }

  start(records: Records): void {
    this.#records = records
    this.#writes = repeat({
      name: 'write of model usage',
      everyMs: WRITE_INTERVAL_MS,
      work: () => this.#write(),
      logger: this.#logger,
    })
  }

  /** Writes what is pending. */
  async stop(): Promise<void> {
    await this.#writes?.stop()
    await this.#write().catch((error: unknown) => this.#logger.warn({ err: error }, 'failed to write model usage'))
  }

  async #write(): Promise<void> {
    const records = this.#records
    if (records === undefined || this.#pending.size === 0) return
    const writing = this.#pending
    this.#pending = new Map()
    try {
      await recordModelUsage(records.db, [...writing.values()])
    } catch (error) {
      // What arrived meanwhile is counted again on top.
      const arrived = this.#pending
      this.#pending = writing
      for (const usage of arrived.values()) this.#add(usage)
      throw error
    }
  }
}

const addUsage = (one: ModelUsage, other: ModelUsage): ModelUsage => ({
  ...one,
  requests: one.requests + other.requests,
  failed_requests: one.failed_requests + other.failed_requests,
  input_tokens: one.input_tokens + other.input_tokens,
  output_tokens: one.output_tokens + other.output_tokens,
  reasoning_tokens: one.reasoning_tokens + other.reasoning_tokens,
  cache_read_tokens: one.cache_read_tokens + other.cache_read_tokens,
  cache_write_tokens: one.cache_write_tokens + other.cache_write_tokens,
})
