// The worker's side of calls: reads them from the record, runs their handlers concurrently, writes the answers.

import {
  CALLS,
  type CallArgs,
  type CallHandler,
  type CallHandlers,
  type CallKind,
  type CallTarget,
  isSwitchyardError,
  SwitchyardError,
  toSwitchyardError,
  type WorkerId,
} from '@switchyard/contracts'
import { repeat } from '@switchyard/process'
import type { Bus } from '@switchyard/queue'
import {
  answerCall,
  type CallRow,
  deleteOldCalls,
  deleteOldUploads,
  type Records,
  takeCalls,
} from '@switchyard/records'
import type { Logger } from 'pino'

/** How often to read calls where the bus gives no hint, ms. */
const POLL_EVERY_MS = 1_000
const DELETE_EVERY_MS = 60_000
/** How long an answer that was not read is stored, ms. */
const ANSWER_RETENTION_MS = 10 * 60_000
/** How long an upload is stored whose call never came or was never started, ms. */
const UPLOAD_RETENTION_MS = 3_600_000
const CONCURRENCY = 32

export type AnsweringCallsOptions = {
  readonly records: Records
  readonly bus: Pick<Bus, 'onHint' | 'publishHint'>
  readonly workerId: WorkerId
  readonly targets: readonly CallTarget[]
  /** Calls without a handler are answered with `not_supported`. */
  readonly handlers: Partial<CallHandlers>
  readonly logger: Logger
}

export type AnsweringCalls = {
  /** Aborts the handlers that run. Their calls stay open for another worker. */
  readonly stop: () => Promise<void>
}

const isKind = (kind: string): kind is CallKind => kind in CALLS

const run = async (
  handlers: Partial<CallHandlers>,
  kind: string,
  args: unknown,
  signal: AbortSignal,
): Promise<unknown> => {
  const handler = isKind(kind) ? (handlers[kind] as CallHandler<CallKind> | undefined) : undefined
  if (!isKind(kind) || !handler)
    throw new SwitchyardError(
      'not_supported',
      `this worker does not support the call ${kind}: its version may be older`,
    )
  return await handler(CALLS[kind].args.parse(args) as CallArgs<CallKind>, signal)
}

/** Starts answering calls; resolves once the worker is subscribed to the bus. */
export const startAnsweringCalls = async (options: AnsweringCallsOptions): Promise<AnsweringCalls> => {
  const { records, bus, workerId, targets, handlers, logger } = options
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()

  const answer = async (call: CallRow): Promise<void> => {
    const outcome = await run(handlers, call.kind, call.args, stopping.signal).then(
      (result) => ({ result }),
      (error: unknown) => ({ error: toSwitchyardError(error) }),
    )
    // A handler that failed because this worker stops is left to the next worker.
    if (stopping.signal.aborted && 'error' in outcome) return
    if ('error' in outcome && isSwitchyardError(outcome.error, 'internal_error'))
      logger.error({ call: call.kind, err: outcome.error.cause ?? outcome.error }, 'worker call failed')
    await answerCall(records.db, call.id, workerId, outcome)
    bus.publishHint(`answer:${call.id}`)
  }

  const poll = async (): Promise<void> => {
    const free = CONCURRENCY - running.size
    if (free <= 0) return
    for (const call of await takeCalls(records.db, workerId, targets, free)) {
      const work: Promise<void> = answer(call)
        .catch((error: unknown) =>
          logger.warn({ call: call.kind, err: error }, 'failed to record the answer of a worker call'),
        )
        .finally(() => {
          running.delete(work)
          polling.runNow()
        })
      running.add(work)
    }
  }
  const deleteOld = async (): Promise<void> => {
    await deleteOldCalls(records.db, ANSWER_RETENTION_MS)
    await deleteOldUploads(records.db, UPLOAD_RETENTION_MS)
  }

  const polling = repeat({ name: 'polling for worker calls', everyMs: POLL_EVERY_MS, work: poll, logger })
  const deleting = repeat({ name: 'cleanup of worker calls', everyMs: DELETE_EVERY_MS, work: deleteOld, logger })
  const off = await bus.onHint('calls', polling.runNow)
  polling.runNow()
  return {
    stop: async () => {
      off()
      stopping.abort(new SwitchyardError('worker_unavailable', 'the worker is stopping'))
      await Promise.all([polling.stop(), deleting.stop()])
      await Promise.allSettled(running)
    },
  }
}
