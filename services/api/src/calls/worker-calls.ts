// Asks a worker for what the api cannot do itself, through the record: no worker is addressed, any that can takes it.

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

/** A call that no worker has taken after this long is given up, ms. */
const TAKEN_WITHIN_MS = 8_000
/** How often to look for the answer without being told, ms. */
const LOOK_EVERY_MS = 500
const WAIT_MS = 50_000

export type CallOptions = {
  readonly target?: CallTarget
  /** How long to wait for the answer, ms; default 50 s. The worker goes on with it. */
  readonly waitMs?: number
  readonly signal?: AbortSignal | undefined
}

export class WorkerCalls {
  readonly #records: Records
  readonly #bus: Bus

  constructor(records: Records, bus: Bus) {
    this.#records = records
    this.#bus = bus
  }

  /**
   * @throws SwitchyardError what the worker threw; `worker_unavailable`: none took it; `call_timeout`: none has answered yet,
   *   and the work goes on; `database_unavailable`.
   */
  async call<K extends CallKind>(kind: K, args: CallArgs<K>, options: CallOptions = {}): Promise<CallResult<K>> {
    const { target = 'any', waitMs = WAIT_MS, signal } = options
    const id = newCallId()
    let wake = Promise.withResolvers<void>()
    const off = await this.#bus.onHint(`answer:${id}`, () => wake.resolve())
    const onAbort = () => wake.resolve()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await addCall(this.#records.db, { id, kind, target, args }, TAKEN_WITHIN_MS)
      this.#bus.publishHint('calls')
      const began = Date.now()
      for (;;) {
        wake = Promise.withResolvers<void>()
        const answer = await this.#read(id, kind, Date.now() - began)
        if (answer) return answer.result
        signal?.throwIfAborted()
        const left = waitMs - (Date.now() - began)
        if (left <= 0) throw new SwitchyardError('call_timeout', `${kind} has no answer after ${waitMs} ms; it goes on`)
        const timer = setTimeout(() => wake.resolve(), Math.min(left, LOOK_EVERY_MS))
        await wake.promise
        clearTimeout(timer)
      }
    } finally {
      off()
      signal?.removeEventListener('abort', onAbort)
      // One that nobody has taken is taken back; an answer that was read is of no more use.
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
    if (row?.state !== 'taken' && waitedMs > TAKEN_WITHIN_MS)
      throw new SwitchyardError('worker_unavailable', `no worker took ${kind} within ${TAKEN_WITHIN_MS} ms`)
    return null
  }
}
