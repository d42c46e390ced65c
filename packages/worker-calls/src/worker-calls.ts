// Calls a worker through the record: the call is addressed to no particular worker, and any worker of the target may answer it.

import {
  CALLS,
  type CallArgs,
  type CallId,
  type CallKind,
  type CallResult,
  type CallTarget,
  newCallId,
  SwitchyardError,
} from '@switchyard/contracts'
import type { Bus } from '@switchyard/queue'
import { addCall, deleteCall, type Records, readCall } from '@switchyard/records'

const START_WITHIN_MS = 8_000
/** How often to read the answer where the bus gives no hint, ms. */
const POLL_EVERY_MS = 500
const WAIT_MS = 50_000

export type WorkerCallOptions = {
  readonly target?: CallTarget
  /** How long to wait for the answer, ms; default 50 s. The worker continues after that. */
  readonly waitMs?: number
  readonly signal?: AbortSignal | undefined
}

export class WorkerCalls {
  readonly #records: Records
  readonly #bus: Pick<Bus, 'onHint' | 'publishHint'>
  readonly #startWithinMs: number

  /** @param startWithinMs - a call that no worker has started after this long is withdrawn, ms; default 8 s */
  constructor(records: Records, bus: Pick<Bus, 'onHint' | 'publishHint'>, startWithinMs = START_WITHIN_MS) {
    this.#records = records
    this.#bus = bus
    this.#startWithinMs = startWithinMs
  }

  /**
   * Returns a worker's answer.
   *
   * @throws SwitchyardError what the worker threw; `worker_unavailable` when no worker started the call in time;
   *   `call_timeout` when the answer takes longer than `waitMs`, while the worker continues; `database_unavailable`
   */
  async call<K extends CallKind>(kind: K, args: CallArgs<K>, options: WorkerCallOptions = {}): Promise<CallResult<K>> {
    const { target = 'any', waitMs = WAIT_MS, signal } = options
    const id = newCallId()
    let wake = Promise.withResolvers<void>()
    const off = await this.#bus.onHint(`answer:${id}`, () => wake.resolve())
    const onAbort = () => wake.resolve()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      signal?.throwIfAborted()
      await addCall(this.#records.db, { id, kind, target, args }, this.#startWithinMs)
      this.#bus.publishHint('calls')
      const startedAt = Date.now()
      for (;;) {
        const waitedMs = Date.now() - startedAt
        if (waitedMs >= waitMs)
          throw new SwitchyardError('call_timeout', `${kind} has no answer after ${waitMs} ms; the worker continues`)
        const timer = setTimeout(() => wake.resolve(), Math.min(waitMs - waitedMs, POLL_EVERY_MS))
        await wake.promise
        clearTimeout(timer)
        signal?.throwIfAborted()
        // Renewed before the read: a hint that arrives meanwhile starts another one.
        wake = Promise.withResolvers<void>()
        const answer = await this.#read(id, kind, Date.now() - startedAt)
        if (answer) return answer.result
      }
    } finally {
      off()
      signal?.removeEventListener('abort', onAbort)
      // Withdraws a call that no worker has started, and deletes an answer that was read.
      deleteCall(this.#records.db, id).catch(() => {})
    }
  }

  async #read<K extends CallKind>(id: CallId, kind: K, waitedMs: number): Promise<{ result: CallResult<K> } | null> {
    const row = await readCall(this.#records.db, id)
    if (row?.state === 'failed' && row.error) {
      const { code, message, hint, retryable, context } = row.error
      throw new SwitchyardError(code, message, { hint, retryable, context })
    }
    if (row?.state === 'done') return { result: CALLS[kind].result.parse(row.result) as CallResult<K> }
    if (row?.state !== 'taken' && waitedMs > this.#startWithinMs)
      throw new SwitchyardError('worker_unavailable', `no worker started ${kind} within ${this.#startWithinMs} ms`)
    return null
  }
}
