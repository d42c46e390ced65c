// Answers what the api asks of workers: takes calls from the record, does them side by side, writes the answers.

import {
  CALLS,
  type CallArgs,
  type CallKind,
  type CallResult,
  type CallTarget,
  isSwitchyardError,
  SwitchyardError,
  toSwitchyardError,
  type WorkerId,
} from '@switchyard/contracts'
import { type Repeating, repeat } from '@switchyard/process'
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

/** How often to look without being told, ms. */
const LOOK_EVERY_MS = 1_000
const CLEAR_EVERY_MS = 60_000
/** How long an answer that nobody has read is kept, ms. */
const ANSWERS_KEPT_MS = 10 * 60_000
/** An upload that no call came for, or whose call nobody took, ms. */
const UPLOADS_KEPT_MS = 3_600_000
const AT_ONCE = 32

type CallHandler<K extends CallKind> = (args: CallArgs<K>, signal: AbortSignal) => Promise<CallResult<K>>
export type CallHandlers = { readonly [K in CallKind]: CallHandler<K> }

export type CallsDeps = {
  readonly records: Records
  readonly bus: Bus
  readonly workerId: WorkerId
  readonly targets: readonly CallTarget[]
  readonly handlers: CallHandlers
  readonly logger: Logger
}

const isKind = (kind: string): kind is CallKind => kind in CALLS

const run = async (handlers: CallHandlers, kind: string, args: unknown, signal: AbortSignal): Promise<unknown> => {
  if (!isKind(kind)) throw new SwitchyardError('not_supported', `this worker knows no call ${kind}: it is an older one`)
  const handler = handlers[kind] as (args: unknown, signal: AbortSignal) => Promise<unknown>
  return await handler(CALLS[kind].args.parse(args), signal)
}

export const startCalls = async (deps: CallsDeps): Promise<Pick<Repeating, 'stop'>> => {
  const { records, bus, workerId, targets, handlers, logger } = deps
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()

  const answer = async (call: CallRow): Promise<void> => {
    const outcome = await run(handlers, call.kind, call.args, stopping.signal).then(
      (result) => ({ result }),
      (error: unknown) => ({ error: toSwitchyardError(error) }),
    )
    // What was cut short by our own end is left to the next worker.
    if (stopping.signal.aborted && 'error' in outcome) return
    if ('error' in outcome && isSwitchyardError(outcome.error, 'internal_error'))
      logger.error({ call: call.kind, err: outcome.error.cause ?? outcome.error }, 'a call failed')
    await answerCall(records.db, call.id, workerId, outcome)
    bus.publishHint(`answer:${call.id}`)
  }

  const look = async (): Promise<void> => {
    const free = AT_ONCE - running.size
    if (free <= 0) return
    for (const call of await takeCalls(records.db, workerId, targets, free)) {
      const work: Promise<void> = answer(call)
        .catch((error: unknown) => logger.warn({ call: call.kind, err: error }, 'an answer was not written'))
        .finally(() => {
          running.delete(work)
          polling.runNow()
        })
      running.add(work)
    }
  }
  const clear = async (): Promise<void> => {
    await deleteOldCalls(records.db, ANSWERS_KEPT_MS)
    await deleteOldUploads(records.db, UPLOADS_KEPT_MS)
  }

  const polling = repeat({ name: 'polling for worker calls', everyMs: LOOK_EVERY_MS, work: look, logger })
  const clearing = repeat({ name: 'cleanup of worker calls', everyMs: CLEAR_EVERY_MS, work: clear, logger })
  const off = await bus.onHint('calls', polling.runNow)
  polling.runNow()
  return {
    stop: async () => {
      off()
      stopping.abort(new SwitchyardError('worker_unavailable', 'the worker stops'))
      await Promise.all([polling.stop(), clearing.stop()])
      await Promise.allSettled(running)
    },
  }
}
