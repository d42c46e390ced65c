// PostgreSQL, Valkey or both cannot be reached when api and workers start: they wait, and work as soon as they can.

import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '../client.ts'
import { openLine } from '../line.ts'
import type { Scenario } from '../scenario.ts'
import { within } from '../wait.ts'
import { makeWork } from '../work.ts'

const KINDS = ['both', 'postgres', 'valkey'] as const

export const storeUnreachable: Scenario = {
  name: 'store-unreachable-at-start',
  what: 'start api and worker while PostgreSQL, Valkey or both refuse connections',
  times: { full: 6, short: 1 },
  run: async ({ world, random, times, ledger, say }) => {
    const toPostgres = await openLine(() => world.postgres.port)
    const toValkey = await openLine(() => world.valkey.port)
    const through = (url: string, port: number): string => {
      const changed = new URL(url)
      changed.port = String(port)
      return changed.href
    }
    const env = {
      DATABASE_URL: through(world.postgres.url, toPostgres.port),
      REDIS_URL: through(world.valkey.url, toValkey.port),
    }
    try {
      for (let round = 1; round <= times; round += 1) {
        const kind = times === 1 ? 'both' : random.pick(KINDS)
        await world.stopServices()
        toPostgres.refuse(kind !== 'valkey')
        toValkey.refuse(kind !== 'postgres')
        const services = [world.startApi(env), world.startWorker(env)]
        await delay(random.between(3_000, 6_000))
        for (const service of services)
          if (!service.isAlive()) ledger.problem(`${service.name} gave up while ${kind} could not be reached`)
        // Without Valkey alone the api takes tasks already: PostgreSQL has them.
        if (kind === 'valkey') await ledger.submit(makeWork('store-unreachable', { steps: 1 }))
        else {
          const answer = await createClient(world.apiUrl).once('GET', '/tasks', undefined, 5_000)
          if (answer.status === 200) ledger.problem('the api answers without a database')
        }
        const at = Date.now()
        toPostgres.refuse(false)
        toValkey.refuse(false)
        const ready = await within(Promise.all(services.map((service) => service.ready)), 30_000)
        if (!ready) ledger.problem(`not ready 30 s after ${kind} could be reached`)
        const task = await ledger.submit(makeWork('store-unreachable', { steps: 1 }))
        await within(task.reader.done, 60_000)
        ledger.recovered(Date.now() - at)
        say(`start ${round} without ${kind}: a task was done ${Date.now() - at} ms after they could be reached`)
      }
    } finally {
      await world.stopServices()
      await toPostgres.close()
      await toValkey.close()
    }
  },
}
