// Makes PostgreSQL, Valkey or both unreachable while api and worker start. They wait, and work as
// soon as the stores are reachable.

import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '../client.ts'
import type { Scenario } from '../scenario.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import { withTimeout } from '../wait.ts'
import { createWorkload } from '../workload.ts'

const KINDS = ['both', 'postgres', 'valkey'] as const

export const storeUnreachable: Scenario = {
  name: 'store-unreachable-at-start',
  what: 'start api and worker while PostgreSQL, Valkey or both refuse connections',
  times: { full: 6, short: 1 },
  run: async ({ system, random, times, verifier, log }) => {
    const postgresProxy = await startTcpProxy(() => system.postgres.port)
    const valkeyProxy = await startTcpProxy(() => system.valkey.port)
    const through = (url: string, port: number): string => {
      const changed = new URL(url)
      changed.port = String(port)
      return changed.href
    }
    const env = {
      DATABASE_URL: through(system.postgres.url, postgresProxy.port),
      REDIS_URL: through(system.valkey.url, valkeyProxy.port),
    }
    try {
      for (let round = 1; round <= times; round += 1) {
        const kind = times === 1 ? 'both' : random.pick(KINDS)
        await system.stopServices()
        postgresProxy.refuse(kind !== 'valkey')
        valkeyProxy.refuse(kind !== 'postgres')
        const services = [system.startApi(env), system.startWorker(env)]
        await delay(random.between(3_000, 6_000))
        for (const service of services)
          if (!service.isAlive()) verifier.problem(`${service.name} exited while ${kind} was unreachable`)
        // The api needs only PostgreSQL to accept tasks.
        if (kind === 'valkey') await verifier.submit(createWorkload('store-unreachable', { steps: 1 }))
        else {
          const answer = await createClient(system.apiUrl).once('GET', '/tasks', undefined, 5_000)
          if (answer.status === 200) verifier.problem('the api answered without a database')
        }
        const at = Date.now()
        postgresProxy.refuse(false)
        valkeyProxy.refuse(false)
        const ready = await withTimeout(Promise.all(services.map((service) => service.ready)), 30_000)
        if (!ready) verifier.problem(`not ready 30 s after ${kind} became reachable`)
        const task = await verifier.submit(createWorkload('store-unreachable', { steps: 1 }))
        await withTimeout(task.reader.done, 60_000)
        verifier.recovered(Date.now() - at)
        log(`start ${round} without ${kind}: a task completed ${Date.now() - at} ms after the stores became reachable`)
      }
    } finally {
      await system.stopServices()
      await postgresProxy.close()
      await valkeyProxy.close()
    }
  },
}
