// Replaces the workers one by one with SIGTERM, as a rolling deploy does. The others take over the
// running sessions.

import { setTimeout as delay } from 'node:timers/promises'
import { startLoad } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { ownedBy, waitForTakeover } from '../task-owners.ts'

const TAKEOVER_MS = 30_000
/** Limit of a worker's shutdown, ms. */
const STOP_MS = 8_000

export const deployWorkers: Scenario = {
  name: 'deploy-workers',
  what: 'replace the workers one by one with SIGTERM',
  times: { full: 20, short: 2 },
  run: async ({ system, random, times, verifier, log }) => {
    const load = await startLoad(verifier, {
      name: 'deploy-workers',
      atOnce: 5,
      random,
      shape: (chance) => ({ steps: 10, thinkMs: chance.between(300, 1_500) }),
    })
    try {
      for (let round = 1; round <= times; round += 1) {
        await system.startWorker().ready
        await delay(random.between(0, 2_000))
        const [oldest] = system.workers()
        if (!oldest) throw new Error('no worker is running')
        const owned = await ownedBy(system, await oldest.id())
        const at = Date.now()
        const stopping = oldest.stop()
        const takeovers = await waitForTakeover(system, owned, at, TAKEOVER_MS)
        for (const ms of takeovers) verifier.recovered(ms)
        const stopMs = await stopping
        if (stopMs > STOP_MS) verifier.problem(`${oldest.name} took ${stopMs} ms to stop`)
        log(
          `deploy ${round}: stopped after ${stopMs} ms; ${owned.length} tasks taken over after ${takeovers.map((ms) => `${ms} ms`).join(', ') || '–'}`,
        )
      }
    } finally {
      await load.stop()
    }
  },
}
