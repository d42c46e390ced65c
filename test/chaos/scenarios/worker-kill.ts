// SIGKILL a worker in the middle of turns: another takes its tasks and goes on watching the same sessions.

import { setTimeout as delay } from 'node:timers/promises'
import { keepBusy } from '../load.ts'
import { busyWorkers, ownedBy, untilTakenOver } from '../ownership.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../wait.ts'

const TAKEN_MS = 30_000

export const workerKill: Scenario = {
  name: 'worker-kill',
  what: 'SIGKILL a worker in the middle of turns',
  times: { full: 100, short: 2 },
  run: async ({ world, random, times, ledger, say }) => {
    const load = await keepBusy(ledger, {
      name: 'worker-kill',
      atOnce: 4,
      random,
      shape: (chance) => ({ steps: chance.between(8, 14), thinkMs: chance.between(300, 1_500) }),
    })
    try {
      for (let round = 1; round <= times; round += 1) {
        const candidates = await until(
          'a worker has running tasks',
          async () => {
            const busy = await busyWorkers(world)
            return busy.length > 0 && busy
          },
          60_000,
        )
        const victim = random.pick(candidates)
        await delay(random.between(0, 1_500))
        const owned = await ownedBy(world, await victim.id())
        const at = Date.now()
        await victim.kill()
        world.startWorker()
        const taken = await untilTakenOver(world, owned, at, TAKEN_MS)
        for (const ms of taken) ledger.recovered(ms)
        say(`kill ${round}: ${owned.length} tasks, taken over after ${taken.map((ms) => `${ms} ms`).join(', ') || '–'}`)
        await world.untilWhole()
      }
    } finally {
      await load.stop()
    }
  },
}
