// SIGKILL the OpenCode server in the middle of turns, while a tool runs too, and start it 5 s later: each task resumes in its
// own session.

import { setTimeout as delay } from 'node:timers/promises'
import { markedProcesses } from '../processes.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../wait.ts'
import { makeWork } from '../work.ts'

const TASKS = 3
const OUTAGE_MS = 5_000
const RECOVERED_MS = 60_000

export const opencodeKill: Scenario = {
  name: 'opencode-kill',
  what: 'SIGKILL the OpenCode server in the middle of turns and while a tool runs; start it 5 s later',
  times: { full: 20, short: 1 },
  run: async ({ world, random, times, ledger, say }) => {
    for (let round = 1; round <= times; round += 1) {
      const withTool = round % 2 === 1
      const tasks = await Promise.all(
        Array.from({ length: TASKS }, async () =>
          ledger.submit(makeWork('opencode-kill', withTool ? { steps: 3, toolS: 6 } : { steps: 5, thinkMs: 1_200 }), {
            serverDied: true,
          }),
        ),
      )
      await until(
        'the turns run',
        async () =>
          withTool
            ? (await markedProcesses(world.runId)).some((found) => found.command === 'sleep 6')
            : tasks.every((task) => task.reader.seen.some((event) => event.data.kind === 'tool')),
        60_000,
      )
      await delay(random.between(0, 2_500))
      const before = world.opencode.starts()
      const at = Date.now()
      const hurt = tasks.filter((task) => !task.reader.seen.some((event) => event.type === 'task_completed'))
      await world.opencode.kill(OUTAGE_MS)
      const left = (await markedProcesses(world.runId)).filter((found) => /^sleep /.test(found.command))
      if (left.length > 0) ledger.problem(`tools outlived the server: ${left.map((found) => found.command).join(', ')}`)
      await world.opencode.untilStarted(before)
      await Promise.all(
        hurt.map(async (task) => {
          const recovered = await until(
            `${task.id} is taken up again`,
            () =>
              task.reader.seen.find((event) => event.type === 'task_recovered') ??
              task.reader.seen.find((event) => event.type === 'task_completed'),
            RECOVERED_MS,
          ).catch((error: Error) => ledger.problem(error.message))
          if (recovered?.type === 'task_recovered') ledger.recovered(Date.parse(recovered.timestamp) - at)
        }),
      )
      say(`kill ${round}: ${hurt.length} tasks taken up again`)
    }
  },
}
