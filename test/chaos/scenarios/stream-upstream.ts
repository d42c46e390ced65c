// Cuts the connections between the workers and OpenCode repeatedly while text streams and tools
// run.

import { setTimeout as delay } from 'node:timers/promises'
import { startLoad } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { waitUntil } from '../wait.ts'

export const streamUpstream: Scenario = {
  name: 'stream-upstream',
  what: 'cut the connections of the workers to OpenCode during long streams',
  times: { full: 500, short: 20 },
  run: async ({ system, random, times, verifier, log }) => {
    const load = await startLoad(verifier, {
      name: 'stream-upstream',
      atOnce: 4,
      random,
      shape: (chance) => ({ steps: 10, thinkMs: chance.between(50, 300), stream: { chunks: 40, delay_ms: 15 } }),
    })
    try {
      let cuts = 0
      while (cuts < times) {
        await delay(random.between(50, 800))
        const cut = system.opencodeProxy.cut()
        const at = Date.now()
        cuts += cut
        verifier.cut(cut)
        if (cut === 0) continue
        await waitUntil('the event stream is reconnected', () => system.opencodeProxy.streams() > 0, 30_000, 10)
        verifier.recovered(Date.now() - at)
      }
      log(`${cuts} event streams cut`)
    } finally {
      await load.stop()
    }
  },
}
