// Submits tasks while a store is unavailable, and checks that each call is answered fast: accepted,
// or rejected with a retryable error.

import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from './client.ts'
import type { TestSystem } from './system.ts'
import type { TaskVerifier } from './task-verifier.ts'
import { createWorkload } from './workload.ts'

/**
 * Limit of a call during an outage, ms: two bounded waits of 2 to 2.5 s, plus the delays of a busy
 * machine.
 */
const FAST_MS = 6_000
const EVERY_MS = 500

export type Callers = {
  /**
   * Stops the calls and submits the rejected tasks again. Every task that may have been accepted is
   * then checked.
   */
  readonly stop: () => Promise<{ readonly accepted: number; readonly refused: number; readonly slowestMs: number }>
}

/**
 * Submits a task every half second without retries. `stop` submits the rejected ones again, with
 * the same key.
 */
export const submitRepeatedly = (system: TestSystem, verifier: TaskVerifier, name: string): Callers => {
  const client = createClient(system.apiUrl)
  const stopping = new AbortController()
  let accepted = 0
  let refused = 0
  let slowestMs = 0
  const rejected: ReturnType<typeof createWorkload>[] = []
  const callOnce = async (): Promise<void> => {
    const work = createWorkload(name, { steps: 1 })
    const answer = await client.once('POST', '/tasks', {
      task_description: work.description,
      idempotency_key: work.token,
    })
    slowestMs = Math.max(slowestMs, answer.ms)
    if (answer.ms > FAST_MS) verifier.problem(`a call took ${answer.ms} ms during the outage`)
    if (answer.status === 202) {
      accepted += 1
      verifier.track(String(answer.body.task_id) as `task_${string}`, work)
      return
    }
    refused += 1
    rejected.push(work)
    if (answer.body.retryable !== true)
      verifier.problem(`a call failed with a permanent error: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  const calling = (async () => {
    while (!stopping.signal.aborted) {
      await callOnce()
      await delay(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    stop: async () => {
      stopping.abort()
      await calling
      for (const work of rejected) await verifier.submit(work)
      return { accepted, refused, slowestMs }
    },
  }
}

/** Submits a task with retries. Returns how long the api took to accept it, ms. */
export const measureAcceptance = async (verifier: TaskVerifier, name: string): Promise<number> => {
  const began = Date.now()
  await verifier.submit(createWorkload(name, { steps: 1 }))
  return Date.now() - began
}
