// Repeats work, one round at a time.

import { isSwitchyardError } from '@switchyard/contracts'
import { Outage, type OutageLogger } from './outage.ts'

export type Failure = {
  /** Fields of the log line; default: code and message of an expected error, the whole of any other. */
  readonly facts?: object
  /** Delay until the next round, ms; default: the usual one. */
  readonly retryMs?: number
  /** True for a failure that needs no attention: it is logged at `debug` and does not count as an outage. */
  readonly isExpected?: boolean
}

export type RepeatOptions = {
  /** What the rounds do, as the subject of a log line: `task sweep` gives "task sweep failed; retrying". */
  readonly name: string
  /**
   * Time from the start of one round to the start of the next, ms; `Infinity` waits for `runNow`. A round that takes
   * longer skips the starts it missed.
   */
  readonly everyMs: number
  /**
   * One round. It may return the delay until the next one, ms, instead of `everyMs`.
   *
   * @param signal - aborts when the loop stops.
   */
  readonly work: (signal: AbortSignal) => Promise<void> | Promise<number>
  /** Says how a failed round is logged and when the next one starts. */
  readonly onFailure?: (error: unknown) => Failure
  readonly logger: OutageLogger
}

export type Repeating = {
  /** Starts a round immediately, or right after the one in progress. */
  readonly runNow: () => void
  /** Starts no more rounds and resolves when the one in progress has finished. Safe to call twice. */
  readonly stop: () => Promise<void>
}

const factsOf = (error: unknown): object =>
  isSwitchyardError(error) && error.code !== 'internal_error'
    ? { code: error.code, err: error.message }
    : { err: error }

/**
 * Starts a loop whose first round begins after `everyMs`, or with `runNow`. A failed round is logged and retried: one
 * warning per outage, one line when it is over.
 *
 * @example const sweeping = repeat({ name: 'task sweep', everyMs: 1_000, work: sweep, logger })
 */
export const repeat = ({ name, everyMs, work, onFailure, logger }: RepeatOptions): Repeating => {
  const stopping = new AbortController()
  const outage = new Outage(name, logger)
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> | undefined
  let isRequested = false

  /** @returns the delay until the next round, ms. */
  const runRound = async (): Promise<number> => {
    const startedAt = performance.now()
    const untilNextStart = () => everyMs - ((performance.now() - startedAt) % everyMs)
    try {
      const delayMs = await work(stopping.signal)
      outage.recover()
      return delayMs ?? untilNextStart()
    } catch (error) {
      const { facts = factsOf(error), retryMs, isExpected } = onFailure?.(error) ?? {}
      if (isExpected || stopping.signal.aborted) logger.debug(facts, `${name} failed`)
      else outage.fail(facts)
      return retryMs ?? untilNextStart()
    }
  }

  const start = (): void => {
    clearTimeout(timer)
    round = runRound().then((delayMs) => {
      round = undefined
      const isDue = isRequested
      isRequested = false
      if (isDue) runNow()
      else schedule(delayMs)
    })
  }

  const schedule = (delayMs: number): void => {
    if (!stopping.signal.aborted && delayMs !== Number.POSITIVE_INFINITY) timer = setTimeout(start, delayMs)
  }

  const runNow = (): void => {
    if (stopping.signal.aborted) return
    if (round) isRequested = true
    else start()
  }

  schedule(everyMs)
  return {
    runNow,
    stop: async () => {
      stopping.abort()
      clearTimeout(timer)
      await round
    },
  }
}
