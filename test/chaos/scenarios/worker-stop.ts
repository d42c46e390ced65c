// SIGSTOP a worker past its lock, let another take over, SIGCONT: the first one's generation is stale, it writes nothing.

import { setTimeout as delay } from 'node:timers/promises'
import { ownedBy, untilTakenOver } from '../ownership.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../wait.ts'
import { makeWork } from '../work.ts'
import { noteWriters, writtenBy } from '../writers.ts'

const TASKS = 3
const TAKEN_MS = 30_000
/** How long the continued worker is watched, ms: several heartbeats, ticks and lock renewals of its. */
const WATCH_MS = 4_000

export const workerStop: Scenario = {
  name: 'worker-stop',
  what: 'SIGSTOP a worker past its lock, let another take over, SIGCONT',
  times: { full: 10, short: 1 },
  run: async ({ world, random, times, ledger, say }) => {
    await noteWriters(world)
    for (let round = 1; round <= times; round += 1) {
      const tasks = await Promise.all(
        Array.from({ length: TASKS }, () =>
          ledger.submit(makeWork('worker-stop', { steps: 12, thinkMs: random.between(1_200, 2_000) })),
        ),
      )
      const [first] = tasks
      if (!first) return
      const victim = await until(
        'the turns run',
        async () =>
          tasks.every((task) => task.reader.seen.some((event) => event.data.kind === 'tool')) &&
          (await world.ownerOf(random.pick(tasks).id)),
        60_000,
      )
      await delay(random.between(0, 1_000))
      const owned = await ownedBy(world, await victim.id())
      const at = Date.now()
      victim.signal('SIGSTOP')
      const taken = await untilTakenOver(world, owned, at, TAKEN_MS)
      for (const ms of taken) ledger.recovered(ms)
      await delay(random.between(0, 2_000))
      const since = new Date()
      victim.signal('SIGCONT')
      await delay(WATCH_MS)
      const written = await writtenBy(
        world,
        victim.name,
        owned.map((task) => task.id),
        since,
      )
      if (written > 0) ledger.problem(`${victim.name} wrote ${written} events after it had lost its tasks`)
      say(
        `stop ${round}: ${owned.length} tasks taken over after ${taken.map((ms) => `${ms} ms`).join(', ')}; then ${written} events by the first owner`,
      )
    }
  },
}
