// Kills the OpenCode server during turns and running tools, and starts it 5 s later. Each task
// resumes in its session.

import { setTimeout as delay } from 'node:timers/promises'
import { findProcesses } from '../processes.ts'
import type { Scenario } from '../scenario.ts'
import { waitUntil } from '../wait.ts'
import { createWorkload } from '../workload.ts'

const TASKS = 3
const OUTAGE_MS = 5_000
const RECOVERED_MS = 60_000

export const opencodeKill: Scenario = {
  name: 'opencode-kill',
  what: 'SIGKILL the OpenCode server during turns and running tools; start it 5 s later',
  times: { full: 20, short: 1 },
  run: async ({ system, random, times, verifier, log }) => {
    for (let round = 1; round <= times; round += 1) {
      const withTool = round % 2 === 1
      const tasks = await Promise.all(
        Array.from({ length: TASKS }, async () =>
          verifier.submit(
            createWorkload('opencode-kill', withTool ? { steps: 3, toolS: 6 } : { steps: 5, thinkMs: 1_200 }),
            {
              serverDied: true,
            },
          ),
        ),
      )
      await waitUntil(
        'the turns run',
        async () =>
          withTool
            ? (await findProcesses(system.runId)).some((found) => found.command === 'sleep 6')
            : tasks.every((task) => task.reader.events.some((event) => event.data.kind === 'tool')),
        60_000,
      )
      await delay(random.between(0, 2_500))
      const before = system.opencode.starts()
      const at = Date.now()
      const interrupted = tasks.filter((task) => !task.reader.events.some((event) => event.type === 'task_completed'))
      await system.opencode.kill(OUTAGE_MS)
      const left = (await findProcesses(system.runId)).filter((found) => /^sleep /.test(found.command))
      if (left.length > 0)
        verifier.problem(`tools still run after the kill: ${left.map((found) => found.command).join(', ')}`)
      await system.opencode.waitForStart(before)
      await Promise.all(
        interrupted.map(async (task) => {
          const recovered = await waitUntil(
            `${task.id} is recovered`,
            () =>
              task.reader.events.find((event) => event.type === 'task_recovered') ??
              task.reader.events.find((event) => event.type === 'task_completed'),
            RECOVERED_MS,
          ).catch((error: Error) => verifier.problem(error.message))
          if (recovered?.type === 'task_recovered') verifier.recovered(Date.parse(recovered.timestamp) - at)
        }),
      )
      log(`kill ${round}: ${interrupted.length} tasks recovered`)
    }
  },
}
