// Pauses a worker until its lock has expired and another one has taken over, then continues it. Its
// generation is stale, so it must write nothing.

import { setTimeout as delay } from 'node:timers/promises'
import { countEventsWrittenBy, recordWriters } from '../event-writers.ts'
import type { Scenario } from '../scenario.ts'
import { ownedBy, waitForTakeover } from '../task-owners.ts'
import { waitUntil } from '../wait.ts'
import { createWorkload } from '../workload.ts'

const TASKS = 3
const TAKEOVER_MS = 30_000
/** How long to watch the continued worker, ms: several of its heartbeats and lock renewals. */
const WATCH_MS = 4_000

export const workerStop: Scenario = {
  name: 'worker-stop',
  what: 'SIGSTOP a worker until another one has taken over, then SIGCONT',
  times: { full: 10, short: 1 },
  run: async ({ system, random, times, verifier, log }) => {
    await recordWriters(system)
    for (let round = 1; round <= times; round += 1) {
      const tasks = await Promise.all(
        Array.from({ length: TASKS }, () =>
          verifier.submit(createWorkload('worker-stop', { steps: 12, thinkMs: random.between(1_200, 2_000) })),
        ),
      )
      const [first] = tasks
      if (!first) return
      const worker = await waitUntil(
        'the turns run',
        async () =>
          tasks.every((task) => task.reader.events.some((event) => event.data.kind === 'tool')) &&
          (await system.ownerOf(random.pick(tasks).id)),
        60_000,
      )
      await delay(random.between(0, 1_000))
      const owned = await ownedBy(system, await worker.id())
      const at = Date.now()
      worker.signal('SIGSTOP')
      const takeovers = await waitForTakeover(system, owned, at, TAKEOVER_MS)
      for (const ms of takeovers) verifier.recovered(ms)
      await delay(random.between(0, 2_000))
      const since = new Date()
      worker.signal('SIGCONT')
      await delay(WATCH_MS)
      const written = await countEventsWrittenBy(
        system,
        worker.name,
        owned.map((task) => task.id),
        since,
      )
      if (written > 0) verifier.problem(`${worker.name} wrote ${written} events after it lost its tasks`)
      log(
        `stop ${round}: ${owned.length} tasks taken over after ${takeovers.map((ms) => `${ms} ms`).join(', ')}; ${written} events written by the first owner since`,
      )
    }
  },
}
