// The type of a scenario: a fault that is injected into the running system several times.

import type { Random } from './random.ts'
import type { TestSystem } from './system.ts'
import type { TaskVerifier } from './task-verifier.ts'

export type Context = {
  readonly system: TestSystem
  readonly random: Random
  /** How often to inject the fault. */
  readonly times: number
  /** Keeps outages as short as the system still notices them. */
  readonly isShort: boolean
  readonly verifier: TaskVerifier
  readonly log: (text: string) => void
}

export type Scenario = {
  readonly name: string
  /** One line that describes the fault. */
  readonly what: string
  /** Number of faults in a full run and in a short one. */
  readonly times: { readonly full: number; readonly short: number }
  readonly run: (context: Context) => Promise<void>
}
