// A rolling deploy: each worker is replaced by a new one with SIGTERM, and leaves its running sessions to the others.

import { setTimeout as delay } from 'node:timers/promises'
import { keepBusy } from '../load.ts'
import { ownedBy, untilTakenOver } from '../ownership.ts'
import type { Scenario } from '../scenario.ts'

const TAKEN_MS = 30_000
/** A worker that takes longer than this to end does not leave its tasks within seconds. */
const STOP_MS = 8_000

export const deployWorkers: Scenario = {
  name: 'deploy-workers',
  what: 'replace the workers one by one with SIGTERM',
  times: { full: 20, short: 2 },
  run: async ({ world, random, times, ledger, say }) => {
    const load = await keepBusy(ledger, {
      name: 'deploy-workers',
      atOnce: 5,
      random,
      shape: (chance) => ({ steps: 10, thinkMs: chance.between(300, 1_500) }),
    })
    try {
      for (let round = 1; round <= times; round += 1) {
        await world.startWorker().ready
        await delay(random.between(0, 2_000))
        const [oldest] = world.workers()
        if (!oldest) throw new Error('there is no worker')
        const owned = await ownedBy(world, await oldest.id())
        const at = Date.now()
        const stopping = oldest.stop()
        const taken = await untilTakenOver(world, owned, at, TAKEN_MS)
        for (const ms of taken) ledger.recovered(ms)
        const stopMs = await stopping
        if (stopMs > STOP_MS) ledger.problem(`${oldest.name} took ${stopMs} ms to end`)
        say(
          `deploy ${round}: ended after ${stopMs} ms; ${owned.length} tasks taken over after ${taken.map((ms) => `${ms} ms`).join(', ') || '–'}`,
        )
      }
    } finally {
      await load.stop()
    }
  },
}
