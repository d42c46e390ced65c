// Stalls the OpenCode server for 3 to 5 s repeatedly. The system must neither restart it nor prompt
// again.

import { setTimeout as delay } from 'node:timers/promises'
import { startLoad } from '../load.ts'
import type { Scenario } from '../scenario.ts'

export const opencodeBusy: Scenario = {
  name: 'opencode-busy',
  what: 'stall the OpenCode server for 3 to 5 s, repeatedly',
  times: { full: 12, short: 2 },
  run: async ({ system, random, times, verifier, log }) => {
    const before = system.opencode.starts()
    const load = await startLoad(verifier, {
      name: 'opencode-busy',
      atOnce: 3,
      random,
      shape: (chance) => ({ steps: 6, thinkMs: chance.between(200, 1_000) }),
    })
    try {
      for (let round = 1; round <= times; round += 1) {
        await delay(random.between(800, 2_000))
        const stallMs = random.between(3_000, 5_000)
        system.opencode.pause()
        await delay(stallMs)
        system.opencode.resume()
        log(`stall ${round}: ${stallMs} ms`)
      }
    } finally {
      await load.stop()
    }
    if (system.opencode.starts() !== before) verifier.problem('the OpenCode server was restarted')
  },
}
