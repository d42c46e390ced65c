// A steady load: so many tasks at work at any time while a scenario does its worst.

import { setTimeout as delay } from 'node:timers/promises'
import type { Expectation, Ledger } from './ledger.ts'
import type { Random } from './random.ts'
import { makeWork, type Shape } from './work.ts'

export type Load = {
  /** Submits no more. Those at work go on. */
  readonly stop: () => Promise<void>
}

const LOOK_MS = 100

/** Keeps `atOnce` tasks of this shape at work; the first are submitted before it resolves. */
export const keepBusy = async (
  ledger: Ledger,
  options: {
    readonly name: string
    readonly atOnce: number
    readonly shape: (random: Random) => Shape
    readonly random: Random
    readonly expected?: Expectation
  },
): Promise<Load> => {
  const stopping = new AbortController()
  const submitOne = async () =>
    await ledger.submit(makeWork(options.name, options.shape(options.random)), options.expected)
  const keepOne = async (first: Awaited<ReturnType<typeof submitOne>>): Promise<void> => {
    let current = first
    while (!stopping.signal.aborted) {
      let isDone = false
      void current.reader.done.then(() => {
        isDone = true
      })
      while (!isDone && !stopping.signal.aborted) await delay(LOOK_MS)
      if (!stopping.signal.aborted) current = await submitOne()
    }
  }
  const firsts = await Promise.all(Array.from({ length: options.atOnce }, submitOne))
  const kept = Promise.all(firsts.map(keepOne))
  kept.catch((error: Error) => ledger.problem(`a task could not be submitted: ${error.message}`))
  return {
    stop: async () => {
      stopping.abort()
      await kept.catch(() => undefined)
    },
  }
}
