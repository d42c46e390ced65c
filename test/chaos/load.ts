// Keeps a constant number of tasks running during a scenario.

import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from './random.ts'
import type { Expectation, TaskVerifier } from './task-verifier.ts'
import { createWorkload, type WorkloadShape } from './workload.ts'

export type Load = {
  /** Stops submitting tasks. Running tasks continue. */
  readonly stop: () => Promise<void>
}

const POLL_MS = 100

/** Keeps `atOnce` tasks running. Resolves when the first ones are submitted. */
export const startLoad = async (
  verifier: TaskVerifier,
  options: {
    readonly name: string
    readonly atOnce: number
    readonly shape: (random: Random) => WorkloadShape
    readonly random: Random
    readonly expected?: Expectation
  },
): Promise<Load> => {
  const stopping = new AbortController()
  const submitOne = async () =>
    await verifier.submit(createWorkload(options.name, options.shape(options.random)), options.expected)
  const keepOne = async (first: Awaited<ReturnType<typeof submitOne>>): Promise<void> => {
    let current = first
    while (!stopping.signal.aborted) {
      let isDone = false
      void current.reader.done.then(() => {
        isDone = true
      })
      while (!isDone && !stopping.signal.aborted) await delay(POLL_MS)
      if (!stopping.signal.aborted) current = await submitOne()
    }
  }
  const firsts = await Promise.all(Array.from({ length: options.atOnce }, submitOne))
  const working = Promise.all(firsts.map(keepOne))
  working.catch((error: Error) => verifier.problem(`a task could not be submitted: ${error.message}`))
  return {
    stop: async () => {
      stopping.abort()
      await working.catch(() => undefined)
    },
  }
}
