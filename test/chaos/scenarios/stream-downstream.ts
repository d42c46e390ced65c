// Cuts the connections between clients and the api repeatedly. Every client resumes after its last
// event.

import { setTimeout as delay } from 'node:timers/promises'
import { startLoad } from '../load.ts'
import type { Scenario } from '../scenario.ts'

export const streamDownstream: Scenario = {
  name: 'stream-downstream',
  what: 'cut the event streams of clients, which resume with Last-Event-ID',
  times: { full: 500, short: 40 },
  run: async ({ system, random, times, verifier, log }) => {
    const load = await startLoad(verifier, {
      name: 'stream-downstream',
      atOnce: 6,
      random,
      shape: (chance) => ({ steps: 12, thinkMs: chance.between(50, 400), stream: { chunks: 20, delay_ms: 10 } }),
    })
    try {
      let cuts = 0
      while (cuts < times) {
        await delay(random.between(30, 500))
        const cut = system.apiProxy.cut()
        cuts += cut
        verifier.cut(cut)
      }
      log(`${cuts} event streams cut`)
    } finally {
      await load.stop()
    }
  },
}
