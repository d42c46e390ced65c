// A server that is up and silent: stopped for longer than anyone waits, or with a stream that only sends heartbeats.

import { setTimeout as delay } from 'node:timers/promises'
import { untilRunning } from '../ownership.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../wait.ts'
import { makeWork } from '../work.ts'

const TASKS = 2
const NEWS_MS = 60_000

export const opencodeSilent: Scenario = {
  name: 'opencode-silent',
  what: 'SIGSTOP the OpenCode server for 40 s; or let only heartbeats through its event stream',
  times: { full: 4, short: 1 },
  run: async ({ world, random, times, ledger, isShort, say }) => {
    for (let round = 1; round <= times; round += 1) {
      const tasks = await Promise.all(
        Array.from({ length: TASKS }, () => ledger.submit(makeWork('opencode-silent', { steps: 5, thinkMs: 700 }))),
      )
      await Promise.all(tasks.map((task) => untilRunning(world, task.id)))
      await delay(random.between(0, 2_000))
      const isStopped = round % 2 === 0 || (isShort && random.next() < 0.5)
      let at = Date.now()
      if (isStopped) {
        world.opencode.pause()
        await delay(isShort ? 12_000 : 40_000)
        world.opencode.resume()
        at = Date.now()
      } else world.toOpenCode.onlyHeartbeats(true)
      const before = tasks.map((task) => task.reader.seen.length)
      await Promise.all(
        tasks.map((task, index) =>
          until('news of the task', () => task.reader.seen.length > (before[index] ?? 0) + 1, NEWS_MS)
            .then(() => ledger.recovered(Date.now() - at))
            .catch((error: Error) => ledger.problem(error.message)),
        ),
      )
      await Promise.all(tasks.map((task) => task.reader.done))
      world.toOpenCode.onlyHeartbeats(false)
      say(`silence ${round}: ${isStopped ? 'stopped' : 'heartbeats only'}`)
    }
  },
}
