// Postgres or Valkey restarted, paused or emptied while tasks run and callers call.

import { setTimeout as delay } from 'node:timers/promises'
import { keepBusy } from '../load.ts'
import { callThroughout, untilAccepted } from '../outage.ts'
import type { Context, Scenario } from '../scenario.ts'
import { until } from '../wait.ts'
import { makeWork } from '../work.ts'

const PAUSE_MS = { full: 20_000, short: 6_000 } as const

/** Does this outage N times under load. `during` resolves when the store is back. */
const outages = async (name: string, context: Context, during: (context: Context, round: number) => Promise<void>) => {
  const { world, random, times, ledger, say } = context
  const load = await keepBusy(ledger, {
    name,
    atOnce: 3,
    random,
    shape: (chance) => ({ steps: 8, thinkMs: chance.between(200, 1_200) }),
  })
  try {
    for (let round = 1; round <= times; round += 1) {
      await delay(random.between(500, 2_500))
      const callers = callThroughout(world, ledger, name)
      await delay(200)
      await during(context, round)
      const recovered = await untilAccepted(ledger, name)
      ledger.recovered(recovered)
      const { accepted, refused, slowestMs } = await callers.stop()
      say(
        `outage ${round}: ${accepted} calls accepted, ${refused} refused, the slowest took ${slowestMs} ms; then ${recovered} ms`,
      )
    }
  } finally {
    await load.stop()
  }
}

const pauseMs = ({ isShort }: Context): number => (isShort ? PAUSE_MS.short : PAUSE_MS.full)

export const postgresRestart: Scenario = {
  name: 'postgres-restart',
  what: 'restart PostgreSQL under load: in order, or at once',
  times: { full: 10, short: 1 },
  run: (context) =>
    outages('postgres-restart', context, ({ world, random }) =>
      world.postgres.restart(random.pick(['SIGINT', 'SIGQUIT'] as const)),
    ),
}

export const postgresPause: Scenario = {
  name: 'postgres-pause',
  what: 'stop PostgreSQL for 20 s with all its connections open',
  times: { full: 4, short: 1 },
  run: (context) =>
    outages('postgres-pause', context, async ({ world }) => {
      await world.postgres.pause()
      await delay(pauseMs(context))
      await world.postgres.resume()
    }),
}

export const valkeyRestart: Scenario = {
  name: 'valkey-restart',
  what: 'kill Valkey and start it empty',
  times: { full: 8, short: 1 },
  run: (context) => outages('valkey-restart', context, ({ world }) => world.valkey.restart()),
}

export const valkeyPause: Scenario = {
  name: 'valkey-pause',
  what: 'pause Valkey for 20 s',
  times: { full: 4, short: 1 },
  run: (context) =>
    outages('valkey-pause', context, async ({ world }) => {
      await world.valkey.pause()
      await delay(pauseMs(context))
      await world.valkey.resume()
    }),
}

const QUEUED = 20

export const valkeyFlush: Scenario = {
  name: 'valkey-flush',
  what: 'FLUSHALL while tasks wait in the queue: it is filled again from PostgreSQL',
  times: { full: 5, short: 1 },
  run: async ({ world, times, ledger, isShort, say }) => {
    for (let round = 1; round <= times; round += 1) {
      // More than both workers take at once.
      const tasks = await Promise.all(
        Array.from({ length: isShort ? QUEUED - 4 : QUEUED }, () =>
          ledger.submit(makeWork('valkey-flush', { steps: 2, thinkMs: 1_500 })),
        ),
      )
      const queued = async (): Promise<readonly string[]> =>
        (
          await world.postgres.query<{ id: string }>("SELECT id FROM tasks WHERE status = 'queued' AND id = ANY ($1)", [
            tasks.map((task) => task.id),
          ])
        ).map((row) => row.id)
      await until(
        'some run and some wait',
        async () => {
          const waiting = (await queued()).length
          return waiting > 0 && waiting < tasks.length
        },
        30_000,
      )
      const lost = await queued()
      const at = Date.now()
      await world.valkey.flush()
      await until('every queued task is taken', async () => (await queued()).length === 0, 90_000, 250)
      const rows = await world.postgres.query<{ started_at: Date }>(
        'SELECT started_at FROM tasks WHERE id = ANY ($1)',
        [[...lost]],
      )
      for (const row of rows) ledger.recovered(Math.max(0, row.started_at.getTime() - at))
      say(`flush ${round}: ${lost.length} waiting tasks lost their jobs; all were taken`)
      await Promise.all(tasks.map((task) => task.reader.done))
    }
  },
}
