// Cut the connections between the workers and OpenCode again and again while text streams and tools run.

import { setTimeout as delay } from 'node:timers/promises'
import { keepBusy } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { until } from '../wait.ts'

export const streamUpstream: Scenario = {
  name: 'stream-upstream',
  what: 'cut the workers’ connections to OpenCode during long streams',
  times: { full: 500, short: 20 },
  run: async ({ world, random, times, ledger, say }) => {
    const load = await keepBusy(ledger, {
      name: 'stream-upstream',
      atOnce: 4,
      random,
      shape: (chance) => ({ steps: 10, thinkMs: chance.between(50, 300), stream: { chunks: 40, delay_ms: 15 } }),
    })
    try {
      let cuts = 0
      while (cuts < times) {
        await delay(random.between(50, 800))
        const cut = world.toOpenCode.cut()
        const at = Date.now()
        cuts += cut
        ledger.cut(cut)
        if (cut === 0) continue
        await until('the event stream is back', () => world.toOpenCode.streams() > 0, 30_000, 10)
        ledger.recovered(Date.now() - at)
      }
      say(`${cuts} event streams cut`)
    } finally {
      await load.stop()
    }
  },
}
