// Callers while a store is unavailable: each call is answered soon, and either accepted or refused as retryable.

import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from './client.ts'
import type { Ledger } from './ledger.ts'
import { makeWork } from './work.ts'
import type { World } from './world.ts'

/** A call that takes longer than this has not failed fast, ms: two bounded waits of 2 to 2.5 s, and a busy machine. */
const FAST_MS = 6_000
const EVERY_MS = 500

export type Callers = {
  /** Ends the calling. Every task that was accepted, or may have been, is in the ledger then. */
  readonly stop: () => Promise<{ readonly accepted: number; readonly refused: number; readonly slowestMs: number }>
}

/**
 * Submits a task every half second, each tried once; what was refused is submitted again, with the same key, when the
 * outage is over.
 */
export const callThroughout = (world: World, ledger: Ledger, name: string): Callers => {
  const client = createClient(world.apiUrl)
  const stopping = new AbortController()
  let accepted = 0
  let refused = 0
  let slowestMs = 0
  const again: ReturnType<typeof makeWork>[] = []
  const callOnce = async (): Promise<void> => {
    const work = makeWork(name, { steps: 1 })
    const answer = await client.once('POST', '/tasks', {
      task_description: work.description,
      idempotency_key: work.token,
    })
    slowestMs = Math.max(slowestMs, answer.ms)
    if (answer.ms > FAST_MS) ledger.problem(`a call took ${answer.ms} ms during the outage`)
    if (answer.status === 202) {
      accepted += 1
      ledger.adopt(String(answer.body.task_id) as `task_${string}`, work)
      return
    }
    refused += 1
    again.push(work)
    if (answer.body.retryable !== true)
      ledger.problem(`a call was refused as not retryable: ${answer.status} ${JSON.stringify(answer.body)}`)
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
      for (const work of again) await ledger.submit(work)
      return { accepted, refused, slowestMs }
    },
  }
}

/** Milliseconds from now until the api accepts a task again. The task is in the ledger. */
export const untilAccepted = async (ledger: Ledger, name: string): Promise<number> => {
  const began = Date.now()
  await ledger.submit(makeWork(name, { steps: 1 }))
  return Date.now() - began
}
