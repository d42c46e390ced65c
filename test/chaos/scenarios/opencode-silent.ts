// Makes the OpenCode server silent: stops its process, or lets only heartbeats through its event
// stream.

import { setTimeout as delay } from 'node:timers/promises'
import type { Scenario } from '../scenario.ts'
import { waitUntilRunning } from '../task-owners.ts'
import { waitUntil } from '../wait.ts'
import { createWorkload } from '../workload.ts'

const TASKS = 2
const NEWS_MS = 60_000

export const opencodeSilent: Scenario = {
  name: 'opencode-silent',
  what: 'SIGSTOP the OpenCode server for 40 s; or let only heartbeats through its event stream',
  times: { full: 4, short: 1 },
  run: async ({ system, random, times, verifier, isShort, log }) => {
    for (let round = 1; round <= times; round += 1) {
      const tasks = await Promise.all(
        Array.from({ length: TASKS }, () =>
          verifier.submit(createWorkload('opencode-silent', { steps: 5, thinkMs: 700 })),
        ),
      )
      await Promise.all(tasks.map((task) => waitUntilRunning(system, task.id)))
      await delay(random.between(0, 2_000))
      const isStopped = round % 2 === 0 || (isShort && random.next() < 0.5)
      let at = Date.now()
      if (isStopped) {
        system.opencode.pause()
        await delay(isShort ? 12_000 : 40_000)
        system.opencode.resume()
        at = Date.now()
      } else system.opencodeProxy.onlyHeartbeats(true)
      const before = tasks.map((task) => task.reader.events.length)
      await Promise.all(
        tasks.map((task, index) =>
          waitUntil(
            'new events of the task arrive',
            () => task.reader.events.length > (before[index] ?? 0) + 1,
            NEWS_MS,
          )
            .then(() => verifier.recovered(Date.now() - at))
            .catch((error: Error) => verifier.problem(error.message)),
        ),
      )
      await Promise.all(tasks.map((task) => task.reader.done))
      system.opencodeProxy.onlyHeartbeats(false)
      log(`silence ${round}: ${isStopped ? 'stopped' : 'heartbeats only'}`)
    }
  },
}
