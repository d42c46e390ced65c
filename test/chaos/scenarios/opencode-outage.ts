// Stops the OpenCode server for up to 60 s. Its tasks wait for it, and so do tasks that are
// accepted meanwhile.

import { setTimeout as delay } from 'node:timers/promises'
import type { Scenario } from '../scenario.ts'
import type { Submitted } from '../task-verifier.ts'
import { waitUntil, withTimeout } from '../wait.ts'
import { createWorkload } from '../workload.ts'

/** Shorter than the 90 s for which tasks wait. `opencode-kill` covers an outage of 5 s. */
const OUTAGES_MS = [25_000, 60_000] as const
const RUNNING = 3
const ACCEPTED_MEANWHILE = 5
const RECOVERED_MS = 60_000
const ENDED_MS = 60_000

export const opencodeOutage: Scenario = {
  name: 'opencode-outage',
  what: 'SIGKILL the OpenCode server during turns; start it 25 and 60 s later',
  times: { full: 4, short: OUTAGES_MS.length },
  run: async ({ system, times, verifier, log }) => {
    for (let round = 0; round < times; round += 1) {
      const outageMs = OUTAGES_MS[round % OUTAGES_MS.length] ?? 0
      const running = await Promise.all(
        Array.from({ length: RUNNING }, () =>
          verifier.submit(createWorkload('opencode-outage', { steps: 5, thinkMs: 2_000 }), {
            serverDied: true,
            recoveries: 1,
          }),
        ),
      )
      await waitUntil(
        'the turns run',
        () => running.every((task) => task.reader.events.some((event) => event.data.kind === 'tool')),
        60_000,
      )
      const before = system.opencode.starts()
      const at = Date.now()
      await system.opencode.kill(outageMs)
      const accepted: Submitted[] = []
      while (accepted.length < ACCEPTED_MEANWHILE) {
        accepted.push(await verifier.submit(createWorkload('opencode-outage', { steps: 1 })))
        await delay(outageMs / (ACCEPTED_MEANWHILE + 1))
      }
      if (system.opencode.starts() !== before) verifier.problem('the server started before the outage was over')
      await system.opencode.waitForStart(before)
      await Promise.all(
        running.map(async (task) => {
          const recovered = await waitUntil(
            `${task.id} continues`,
            () => task.reader.events.find((event) => event.type === 'task_recovered'),
            RECOVERED_MS,
          ).catch((error: Error) => verifier.problem(error.message))
          if (recovered) verifier.recovered(Date.parse(recovered.timestamp) - at)
        }),
      )
      // A task that still runs at the next outage would be interrupted a second time.
      const ended = await withTimeout(Promise.all([...running, ...accepted].map((task) => task.reader.done)), ENDED_MS)
      if (!ended) verifier.problem(`tasks still run ${ENDED_MS / 1_000} s after the outage`)
      log(
        `outage of ${outageMs / 1_000} s: ${running.length} turns continued, ${accepted.length} tasks accepted meanwhile`,
      )
    }
  },
}
