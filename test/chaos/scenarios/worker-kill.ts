// Kills a worker during turns. Another worker takes over its tasks and continues to follow the same
// sessions.

import { setTimeout as delay } from 'node:timers/promises'
import { startLoad } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { busyWorkers, ownedBy, waitForTakeover } from '../task-owners.ts'
import { waitUntil } from '../wait.ts'

const TAKEOVER_MS = 30_000

export const workerKill: Scenario = {
  name: 'worker-kill',
  what: 'SIGKILL a worker during turns',
  times: { full: 100, short: 2 },
  run: async ({ system, random, times, verifier, log }) => {
    const load = await startLoad(verifier, {
      name: 'worker-kill',
      atOnce: 4,
      random,
      shape: (chance) => ({ steps: chance.between(8, 14), thinkMs: chance.between(300, 1_500) }),
    })
    try {
      for (let round = 1; round <= times; round += 1) {
        const candidates = await waitUntil(
          'a worker has running tasks',
          async () => {
            const busy = await busyWorkers(system)
            return busy.length > 0 && busy
          },
          60_000,
        )
        const worker = random.pick(candidates)
        await delay(random.between(0, 1_500))
        const owned = await ownedBy(system, await worker.id())
        const at = Date.now()
        await worker.kill()
        system.startWorker()
        const takeovers = await waitForTakeover(system, owned, at, TAKEOVER_MS)
        for (const ms of takeovers) verifier.recovered(ms)
        log(
          `kill ${round}: ${owned.length} tasks taken over after ${takeovers.map((ms) => `${ms} ms`).join(', ') || '–'}`,
        )
        await system.restoreServices()
      }
    } finally {
      await load.stop()
    }
  },
}
