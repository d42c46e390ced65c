// Plays scenarios on one world, one after another, and hands out what became of each.

import { createClient } from './client.ts'
import { openLedger, type Result } from './ledger.ts'
import { leftAtWork } from './leftovers.ts'
import { seeded, seedOf } from './random.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

export type Outcome = Result & {
  readonly name: string
  readonly seconds: number
  readonly leftovers: readonly string[]
}

export type Settings = {
  readonly seed: number
  readonly times: number
  readonly isShort: boolean
  readonly say: (text: string) => void
}

/** True where nothing was lost, doubled, wrong or left over. */
export const isClean = (outcome: Outcome): boolean =>
  [
    outcome.lost,
    outcome.runTwice,
    outcome.eventsLost,
    outcome.eventsDoubled,
    outcome.problems,
    outcome.leftovers,
  ].every((list) => list.length === 0)

/** Plays one scenario on a world that is whole, and leaves the world whole. */
export const play = async (world: World, scenario: Scenario, settings: Settings): Promise<Outcome> => {
  const began = Date.now()
  const ledger = openLedger(world, createClient(world.apiUrl))
  await world.untilWhole()
  try {
    await scenario.run({
      world,
      random: seeded(seedOf(settings.seed, scenario.name)),
      times: settings.times,
      isShort: settings.isShort,
      ledger,
      say: settings.say,
    })
  } catch (error) {
    ledger.problem(error instanceof Error ? error.message : String(error))
  }
  await world.untilWhole().catch((error: Error) => ledger.problem(error.message))
  const result = await ledger.settle()
  const leftovers = await leftAtWork(world)
  return { ...result, leftovers, name: scenario.name, seconds: (Date.now() - began) / 1_000 }
}
