// A permission ask waits for a person, and the OpenCode server dies: the task asks again, is answered, and completes.

import { setTimeout as delay } from 'node:timers/promises'
import type { Task } from '@switchyard/contracts'
import { createClient } from '../client.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../wait.ts'
import { makeWork } from '../work.ts'

const ASKED_MS = 60_000

export const askRestart: Scenario = {
  name: 'ask-restart',
  what: 'SIGKILL the OpenCode server while a permission ask waits for its answer',
  times: { full: 8, short: 1 },
  run: async ({ world, random, times, ledger, say }) => {
    const client = createClient(world.apiUrl)
    for (let round = 1; round <= times; round += 1) {
      const task = await ledger.submit(
        makeWork('ask-restart', { steps: 3 }),
        { serverDied: true },
        { permissions: 'ask' },
      )
      const asks = (): number => task.reader.seen.filter((event) => event.type === 'task_input_required').length
      await until('the task asks', () => asks() > 0, ASKED_MS)
      await delay(random.between(0, 3_000))
      const before = world.opencode.starts()
      const at = Date.now()
      await world.opencode.kill()
      await world.opencode.untilStarted(before)
      const asked = asks()
      await until('the task asks again', () => asks() > asked, ASKED_MS)
      ledger.recovered(Date.now() - at)
      say(`kill ${round}: asked again after ${Date.now() - at} ms`)
      const answerAll = async (): Promise<boolean> => {
        const now: Task = await client.task(task.id)
        for (const request of now.requests)
          await client
            .call('POST', `/tasks/${task.id}/requests/${request.request_id}/reply`, { reply: 'once' })
            .catch((error: Error) => {
              // The server asks again after a restart; the earlier request is closed meanwhile.
              if (!error.message.includes('request_')) throw error
            })
        return now.status === 'completed'
      }
      await until('the task completes', answerAll, ASKED_MS, 250)
    }
  },
}
