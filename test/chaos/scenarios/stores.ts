// Restarts, pauses or empties PostgreSQL or Valkey while tasks run and callers submit more.

import { setTimeout as delay } from 'node:timers/promises'
import { startLoad } from '../load.ts'
import { measureAcceptance, submitRepeatedly } from '../outage.ts'
import type { Context, Scenario } from '../scenario.ts'
import { waitUntil } from '../wait.ts'
import { createWorkload } from '../workload.ts'

const PAUSE_MS = { full: 20_000, short: 6_000 } as const

/**
 * Causes an outage several times under load.
 *
 * @param causeOutage - resolves when the store is available again
 */
const repeatOutage = async (
  name: string,
  context: Context,
  causeOutage: (context: Context, round: number) => Promise<void>,
) => {
  const { system, random, times, verifier, log } = context
  const load = await startLoad(verifier, {
    name,
    atOnce: 3,
    random,
    shape: (chance) => ({ steps: 8, thinkMs: chance.between(200, 1_200) }),
  })
  try {
    for (let round = 1; round <= times; round += 1) {
      await delay(random.between(500, 2_500))
      const callers = submitRepeatedly(system, verifier, name)
      await delay(200)
      await causeOutage(context, round)
      const recovered = await measureAcceptance(verifier, name)
      verifier.recovered(recovered)
      const { accepted, refused, slowestMs } = await callers.stop()
      log(
        `outage ${round}: ${accepted} calls accepted, ${refused} rejected, slowest ${slowestMs} ms; next task accepted after ${recovered} ms`,
      )
    }
  } finally {
    await load.stop()
  }
}

const pauseMs = ({ isShort }: Context): number => (isShort ? PAUSE_MS.short : PAUSE_MS.full)

export const postgresRestart: Scenario = {
  name: 'postgres-restart',
  what: 'restart PostgreSQL under load with SIGINT or SIGQUIT',
  times: { full: 10, short: 1 },
  run: (context) =>
    repeatOutage('postgres-restart', context, ({ system, random }) =>
      system.postgres.restart(random.pick(['SIGINT', 'SIGQUIT'] as const)),
    ),
}

export const postgresPause: Scenario = {
  name: 'postgres-pause',
  what: 'pause PostgreSQL for 20 s with its connections open',
  times: { full: 4, short: 1 },
  run: (context) =>
    repeatOutage('postgres-pause', context, async ({ system }) => {
      await system.postgres.pause()
      await delay(pauseMs(context))
      await system.postgres.resume()
    }),
}

export const valkeyRestart: Scenario = {
  name: 'valkey-restart',
  what: 'kill Valkey and start it without its data',
  times: { full: 8, short: 1 },
  run: (context) => repeatOutage('valkey-restart', context, ({ system }) => system.valkey.restart()),
}

export const valkeyPause: Scenario = {
  name: 'valkey-pause',
  what: 'pause Valkey for 20 s',
  times: { full: 4, short: 1 },
  run: (context) =>
    repeatOutage('valkey-pause', context, async ({ system }) => {
      await system.valkey.pause()
      await delay(pauseMs(context))
      await system.valkey.resume()
    }),
}

const QUEUED = 20

export const valkeyFlush: Scenario = {
  name: 'valkey-flush',
  what: 'FLUSHALL while tasks wait in the queue, which is rebuilt from PostgreSQL',
  times: { full: 5, short: 1 },
  run: async ({ system, times, verifier, isShort, log }) => {
    for (let round = 1; round <= times; round += 1) {
      // More than both workers run at the same time.
      const tasks = await Promise.all(
        Array.from({ length: isShort ? QUEUED - 4 : QUEUED }, () =>
          verifier.submit(createWorkload('valkey-flush', { steps: 2, thinkMs: 1_500 })),
        ),
      )
      const queued = async (): Promise<readonly string[]> =>
        (
          await system.postgres.query<{ id: string }>(
            "SELECT id FROM tasks WHERE status = 'queued' AND id = ANY ($1)",
            [tasks.map((task) => task.id)],
          )
        ).map((row) => row.id)
      await waitUntil(
        'some tasks run and some wait',
        async () => {
          const waiting = (await queued()).length
          return waiting > 0 && waiting < tasks.length
        },
        30_000,
      )
      const lost = await queued()
      const at = Date.now()
      await system.valkey.flush()
      await waitUntil('every queued task has started', async () => (await queued()).length === 0, 90_000, 250)
      const rows = await system.postgres.query<{ started_at: Date }>(
        'SELECT started_at FROM tasks WHERE id = ANY ($1)',
        [[...lost]],
      )
      for (const row of rows) verifier.recovered(Math.max(0, row.started_at.getTime() - at))
      log(`flush ${round}: ${lost.length} waiting tasks lost their queue jobs; all have started`)
      await Promise.all(tasks.map((task) => task.reader.done))
    }
  },
}
