// A server that is slow and alive: it stalls for 3 to 5 s again and again. Nobody may restart it or prompt again.

import { setTimeout as delay } from 'node:timers/promises'
import { keepBusy } from '../load.ts'
import type { Scenario } from '../scenario.ts'

export const opencodeBusy: Scenario = {
  name: 'opencode-busy',
  what: 'the OpenCode server stalls for 3 to 5 s again and again',
  times: { full: 12, short: 2 },
  run: async ({ world, random, times, ledger, say }) => {
    const before = world.opencode.starts()
    const load = await keepBusy(ledger, {
      name: 'opencode-busy',
      atOnce: 3,
      random,
      shape: (chance) => ({ steps: 6, thinkMs: chance.between(200, 1_000) }),
    })
    try {
      for (let round = 1; round <= times; round += 1) {
        await delay(random.between(800, 2_000))
        const stallMs = random.between(3_000, 5_000)
        world.opencode.pause()
        await delay(stallMs)
        world.opencode.resume()
        say(`stall ${round}: ${stallMs} ms`)
      }
    } finally {
      await load.stop()
    }
    if (world.opencode.starts() !== before) ledger.problem('the server was restarted')
  },
}
