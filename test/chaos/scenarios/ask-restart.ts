// Kills the OpenCode server while a permission request waits for an answer. The task requests it
// again, gets the answer, and completes.

import { setTimeout as delay } from 'node:timers/promises'
import type { Task } from '@switchyard/contracts'
import { createClient } from '../client.ts'
import type { Scenario } from '../scenario.ts'
import { waitUntil } from '../wait.ts'
import { createWorkload } from '../workload.ts'

const REQUEST_MS = 60_000

export const askRestart: Scenario = {
  name: 'ask-restart',
  what: 'SIGKILL the OpenCode server while a permission request waits for an answer',
  times: { full: 8, short: 1 },
  run: async ({ system, random, times, verifier, log }) => {
    const client = createClient(system.apiUrl)
    for (let round = 1; round <= times; round += 1) {
      const task = await verifier.submit(
        createWorkload('ask-restart', { steps: 3 }),
        { serverDied: true },
        { permissions: 'ask' },
      )
      const countRequests = (): number =>
        task.reader.events.filter((event) => event.type === 'task_input_required').length
      await waitUntil('the task requests a permission', () => countRequests() > 0, REQUEST_MS)
      await delay(random.between(0, 3_000))
      const before = system.opencode.starts()
      const at = Date.now()
      await system.opencode.kill()
      await system.opencode.waitForStart(before)
      const earlier = countRequests()
      await waitUntil('the task requests the permission again', () => countRequests() > earlier, REQUEST_MS)
      verifier.recovered(Date.now() - at)
      log(`kill ${round}: requested again after ${Date.now() - at} ms`)
      const answerAll = async (): Promise<boolean> => {
        const now: Task = await client.task(task.id)
        for (const request of now.requests)
          await client
            .call('POST', `/tasks/${task.id}/requests/${request.request_id}/reply`, { reply: 'once' })
            .catch((error: Error) => {
              // A restarted server sends a new request, so the earlier one is closed meanwhile.
              if (!error.message.includes('request_')) throw error
            })
        return now.status === 'completed'
      }
      await waitUntil('the task completes', answerAll, REQUEST_MS, 250)
    }
  },
}
