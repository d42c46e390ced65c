// What a scenario is: a fault, done to the whole system while it works, N times.

import type { Ledger } from './ledger.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

export type Context = {
  readonly world: World
  readonly random: Random
  /** How often to do it. */
  readonly times: number
  /** Outages are kept as brief as they can be and still be noticed. */
  readonly isShort: boolean
  readonly ledger: Ledger
  readonly say: (text: string) => void
}

export type Scenario = {
  readonly name: string
  /** What is done, in one line. */
  readonly what: string
  /** How often in a full run, and in a short one. */
  readonly times: { readonly full: number; readonly short: number }
  readonly run: (context: Context) => Promise<void>
}
