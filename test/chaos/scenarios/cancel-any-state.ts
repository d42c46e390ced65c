// Cancel a task in each of its states: it ends within 2 s, and what it had started is gone.

import { createClient } from '../client.ts'
import type { Submitted } from '../ledger.ts'
import { markedProcesses } from '../processes.ts'
import type { Context, Scenario } from '../scenario.ts'
import { openSlowRepository, type SlowRepository } from '../slow-repository.ts'
import { until } from '../wait.ts'
import { makeWork } from '../work.ts'

const CANCELLED_MS = 2_000
/** What the machine that runs this may add on its own: the harness looks from outside. */
const LOOK_MS = 500

type Situation = {
  readonly name: string
  /** Brings a new task into the state. */
  readonly reach: (context: Context, slow: SlowRepository, round: number) => Promise<Submitted>
  /** Puts right what reaching the state took away. */
  readonly restore?: (context: Context) => Promise<void>
  /** Processes that must be gone after the cancel. */
  readonly started?: RegExp
}

const CANCELLED = { end: ['cancelled'] } as const

const untilStatus = async ({ world }: Context, id: string, status: string): Promise<void> => {
  const client = createClient(world.apiUrl)
  await until(`${id} is ${status}`, async () => (await client.task(id as `task_${string}`)).status === status, 60_000)
}

const running = async ({ world }: Context, pattern: RegExp): Promise<readonly string[]> =>
  (await markedProcesses(world.runId)).map((found) => found.command).filter((command) => pattern.test(command))

const SITUATIONS: readonly Situation[] = [
  {
    name: 'queued',
    reach: async ({ world, ledger }) => {
      for (const worker of world.workers()) await worker.stop()
      return await ledger.submit(makeWork('cancel-queued', { steps: 1 }), CANCELLED)
    },
    restore: ({ world }) => world.untilWhole(),
  },
  {
    name: 'preparing',
    started: /^git |git-remote-http/,
    reach: async (context, slow, round) => {
      const task = await context.ledger.submit(makeWork('cancel-preparing', { steps: 1 }), CANCELLED, {
        project: slow.url(`${context.world.runId}-${round}`),
      })
      await untilStatus(context, task.id, 'preparing')
      await until('the clone hangs', () => slow.waiting() > 0, 30_000)
      return task
    },
  },
  {
    name: 'running (tool)',
    started: /^sleep 300$/,
    reach: async (context) => {
      const task = await context.ledger.submit(makeWork('cancel-tool', { steps: 1, toolS: 300 }), CANCELLED)
      await until('the tool runs', async () => (await running(context, /^sleep 300$/)).length > 0, 60_000)
      return task
    },
  },
  {
    name: 'running (model)',
    reach: async (context) => {
      const work = makeWork('cancel-model', { steps: 2, holdBefore: 1 })
      const task = await context.ledger.submit(work, CANCELLED)
      await until(
        'the first step is reported',
        () => task.reader.seen.some((event) => event.data.state === 'completed'),
        60_000,
      )
      return task
    },
  },
  {
    name: 'input_required',
    reach: async (context) => {
      const task = await context.ledger.submit(makeWork('cancel-input', { steps: 1 }), CANCELLED, {
        permissions: 'ask',
      })
      await untilStatus(context, task.id, 'input_required')
      return task
    },
  },
  {
    name: 'paused',
    started: /^sleep 300$/,
    reach: async (context) => {
      const task = await context.ledger.submit(makeWork('cancel-paused', { steps: 1, toolS: 300 }), CANCELLED)
      await until('the tool runs', async () => (await running(context, /^sleep 300$/)).length > 0, 60_000)
      await createClient(context.world.apiUrl).call('POST', `/tasks/${task.id}/control`, { control: 'pause' })
      await untilStatus(context, task.id, 'paused')
      return task
    },
  },
]

export const cancelAnyState: Scenario = {
  name: 'cancel-any-state',
  what: 'cancel while queued, preparing, running, waiting for an answer, paused',
  times: { full: 5, short: 1 },
  run: async (context) => {
    const { world, times, ledger, say } = context
    const slow = await openSlowRepository()
    const client = createClient(world.apiUrl)
    try {
      for (let round = 1; round <= times; round += 1)
        for (const situation of SITUATIONS) {
          const task = await situation.reach(context, slow, round)
          const at = Date.now()
          const answer = await client.once('POST', `/tasks/${task.id}/control`, { control: 'cancel' })
          if (answer.body.outcome !== 'done')
            ledger.problem(`cancel while ${situation.name}: ${answer.status} ${JSON.stringify(answer.body)}`)
          await until(
            `${task.id} is cancelled`,
            async () => (await client.task(task.id)).status === 'cancelled',
            30_000,
          )
          const ms = Date.now() - at
          ledger.recovered(ms)
          const { started } = situation
          let goneMs = 0
          if (started) {
            await until(
              'what it had started is gone',
              async () => (await running(context, started)).length === 0,
              30_000,
            )
            goneMs = Date.now() - at
          }
          const limit = CANCELLED_MS + LOOK_MS
          if (ms > limit || goneMs > limit)
            ledger.problem(`cancel while ${situation.name} took ${ms} ms, its processes were gone after ${goneMs} ms`)
          say(`cancel while ${situation.name}: ${ms} ms${started ? `, processes gone after ${goneMs} ms` : ''}`)
          await situation.restore?.(context)
        }
    } finally {
      await slow.close()
    }
  },
}
