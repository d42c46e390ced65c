// Cancels a task in each of its states. It ends within 2 s, and so do the processes that it
// started.

import { createClient } from '../client.ts'
import { type HangingRepository, startHangingRepository } from '../hanging-repository.ts'
import { findProcesses } from '../processes.ts'
import type { Context, Scenario } from '../scenario.ts'
import type { Submitted } from '../task-verifier.ts'
import { waitUntil } from '../wait.ts'
import { createWorkload } from '../workload.ts'

const CANCELLED_MS = 2_000
/** Added to the limit, because the test polls from outside the process. */
const POLL_TOLERANCE_MS = 500

type Situation = {
  readonly name: string
  /** Brings a new task into the state. */
  readonly reach: (context: Context, slow: HangingRepository, round: number) => Promise<Submitted>
  /** Undoes what `reach` did to the system. */
  readonly restore?: (context: Context) => Promise<void>
  /** Matches the commands of processes that must have ended after the cancel. */
  readonly started?: RegExp
}

const CANCELLED = { end: ['cancelled'] } as const

const waitForStatus = async ({ system }: Context, id: string, status: string): Promise<void> => {
  const client = createClient(system.apiUrl)
  await waitUntil(
    `${id} is ${status}`,
    async () => (await client.task(id as `task_${string}`)).status === status,
    60_000,
  )
}

const running = async ({ system }: Context, pattern: RegExp): Promise<readonly string[]> =>
  (await findProcesses(system.runId)).map((found) => found.command).filter((command) => pattern.test(command))

const SITUATIONS: readonly Situation[] = [
  {
    name: 'queued',
    reach: async ({ system, verifier }) => {
      for (const worker of system.workers()) await worker.stop()
      return await verifier.submit(createWorkload('cancel-queued', { steps: 1 }), CANCELLED)
    },
    restore: ({ system }) => system.restoreServices(),
  },
  {
    name: 'preparing',
    started: /^git |git-remote-http/,
    reach: async (context, slow, round) => {
      const task = await context.verifier.submit(createWorkload('cancel-preparing', { steps: 1 }), CANCELLED, {
        project: slow.url(`${context.system.runId}-${round}`),
      })
      await waitForStatus(context, task.id, 'preparing')
      await waitUntil('the clone hangs', () => slow.waiting() > 0, 30_000)
      return task
    },
  },
  {
    name: 'running (tool)',
    started: /^sleep 300$/,
    reach: async (context) => {
      const task = await context.verifier.submit(createWorkload('cancel-tool', { steps: 1, toolS: 300 }), CANCELLED)
      await waitUntil('the tool runs', async () => (await running(context, /^sleep 300$/)).length > 0, 60_000)
      return task
    },
  },
  {
    name: 'running (model)',
    reach: async (context) => {
      const work = createWorkload('cancel-model', { steps: 2, holdBefore: 1 })
      const task = await context.verifier.submit(work, CANCELLED)
      await waitUntil(
        'the first step is reported',
        () => task.reader.events.some((event) => event.data.state === 'completed'),
        60_000,
      )
      return task
    },
  },
  {
    name: 'input_required',
    reach: async (context) => {
      const task = await context.verifier.submit(createWorkload('cancel-input', { steps: 1 }), CANCELLED, {
        permissions: 'ask',
      })
      await waitForStatus(context, task.id, 'input_required')
      return task
    },
  },
  {
    name: 'paused',
    started: /^sleep 300$/,
    reach: async (context) => {
      const task = await context.verifier.submit(createWorkload('cancel-paused', { steps: 1, toolS: 300 }), CANCELLED)
      await waitUntil('the tool runs', async () => (await running(context, /^sleep 300$/)).length > 0, 60_000)
      await createClient(context.system.apiUrl).call('POST', `/tasks/${task.id}/control`, { control: 'pause' })
      await waitForStatus(context, task.id, 'paused')
      return task
    },
  },
]

export const cancelAnyState: Scenario = {
  name: 'cancel-any-state',
  what: 'cancel a task while it is queued, preparing, running, waiting for an answer or paused',
  times: { full: 5, short: 1 },
  run: async (context) => {
    const { system, times, verifier, log } = context
    const slow = await startHangingRepository()
    const client = createClient(system.apiUrl)
    try {
      for (let round = 1; round <= times; round += 1)
        for (const situation of SITUATIONS) {
          const task = await situation.reach(context, slow, round)
          const at = Date.now()
          const answer = await client.once('POST', `/tasks/${task.id}/control`, { control: 'cancel' })
          if (answer.body.outcome !== 'done')
            verifier.problem(`cancel while ${situation.name}: ${answer.status} ${JSON.stringify(answer.body)}`)
          await waitUntil(
            `${task.id} is cancelled`,
            async () => (await client.task(task.id)).status === 'cancelled',
            30_000,
          )
          const ms = Date.now() - at
          verifier.recovered(ms)
          const { started } = situation
          let processesMs = 0
          if (started) {
            await waitUntil(
              'the processes of the task have ended',
              async () => (await running(context, started)).length === 0,
              30_000,
            )
            processesMs = Date.now() - at
          }
          const limit = CANCELLED_MS + POLL_TOLERANCE_MS
          if (ms > limit || processesMs > limit)
            verifier.problem(
              `cancel while ${situation.name} took ${ms} ms, its processes ended after ${processesMs} ms`,
            )
          log(`cancel while ${situation.name}: ${ms} ms${started ? `, processes ended after ${processesMs} ms` : ''}`)
          await situation.restore?.(context)
        }
    } finally {
      await slow.close()
    }
  },
}
