// Cut the connections between clients and the api again and again: every reader resumes by the last number it has.

import { setTimeout as delay } from 'node:timers/promises'
import { keepBusy } from '../load.ts'
import type { Scenario } from '../scenario.ts'

export const streamDownstream: Scenario = {
  name: 'stream-downstream',
  what: 'cut clients’ event streams; they resume with Last-Event-ID',
  times: { full: 500, short: 40 },
  run: async ({ world, random, times, ledger, say }) => {
    const load = await keepBusy(ledger, {
      name: 'stream-downstream',
      atOnce: 6,
      random,
      shape: (chance) => ({ steps: 12, thinkMs: chance.between(50, 400), stream: { chunks: 20, delay_ms: 10 } }),
    })
    try {
      let cuts = 0
      while (cuts < times) {
        await delay(random.between(30, 500))
        const cut = world.toApi.cut()
        cuts += cut
        ledger.cut(cut)
      }
      say(`${cuts} event streams cut`)
    } finally {
      await load.stop()
    }
  },
}
