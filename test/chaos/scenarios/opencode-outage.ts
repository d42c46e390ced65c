// An OpenCode server that stays down for longer: its tasks wait for it, and so do those that are accepted meanwhile.

import { setTimeout as delay } from 'node:timers/promises'
import type { Submitted } from '../ledger.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../wait.ts'
import { makeWork } from '../work.ts'

/** Below the 90 s for which tasks wait. The outage of 5 s is part of `opencode-kill`. */
const OUTAGES_MS = [25_000, 60_000] as const
const RUNNING = 3
const ACCEPTED_MEANWHILE = 5
const RECOVERED_MS = 60_000

export const opencodeOutage: Scenario = {
  name: 'opencode-outage',
  what: 'SIGKILL the OpenCode server in the middle of turns; start it 25 and 60 s later',
  times: { full: 4, short: OUTAGES_MS.length },
  run: async ({ world, times, ledger, say }) => {
    for (let round = 0; round < times; round += 1) {
      const outageMs = OUTAGES_MS[round % OUTAGES_MS.length] ?? 0
      const running = await Promise.all(
        Array.from({ length: RUNNING }, () =>
          ledger.submit(makeWork('opencode-outage', { steps: 5, thinkMs: 2_000 }), { serverDied: true, recoveries: 1 }),
        ),
      )
      await until(
        'the turns run',
        () => running.every((task) => task.reader.seen.some((event) => event.data.kind === 'tool')),
        60_000,
      )
      const before = world.opencode.starts()
      const at = Date.now()
      await world.opencode.kill(outageMs)
      const accepted: Submitted[] = []
      while (accepted.length < ACCEPTED_MEANWHILE) {
        accepted.push(await ledger.submit(makeWork('opencode-outage', { steps: 1 })))
        await delay(outageMs / (ACCEPTED_MEANWHILE + 1))
      }
      if (world.opencode.starts() !== before) ledger.problem('the server started before the outage was over')
      await world.opencode.untilStarted(before)
      await Promise.all(
        running.map(async (task) => {
          const recovered = await until(
            `${task.id} continues`,
            () => task.reader.seen.find((event) => event.type === 'task_recovered'),
            RECOVERED_MS,
          ).catch((error: Error) => ledger.problem(error.message))
          if (recovered) ledger.recovered(Date.parse(recovered.timestamp) - at)
        }),
      )
      say(
        `outage of ${outageMs / 1_000} s: ${running.length} turns continued, ${accepted.length} tasks accepted meanwhile`,
      )
    }
  },
}
