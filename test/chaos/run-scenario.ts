// Runs one scenario and checks its outcome.

import { createClient } from './client.ts'
import { findLeftovers } from './leftovers.ts'
import { createRandom, scenarioSeed } from './random.ts'
import type { Scenario } from './scenario.ts'
import type { TestSystem } from './system.ts'
import { createTaskVerifier, type Result } from './task-verifier.ts'

export type Outcome = Result & {
  readonly name: string
  readonly seconds: number
  readonly leftovers: readonly string[]
}

export type Settings = {
  readonly seed: number
  readonly times: number
  readonly isShort: boolean
  readonly log: (text: string) => void
}

/** Returns whether nothing was lost, duplicated, wrong or left behind. */
export const isClean = (outcome: Outcome): boolean =>
  [
    outcome.lost,
    outcome.runTwice,
    outcome.eventsLost,
    outcome.eventsDuplicated,
    outcome.problems,
    outcome.leftovers,
  ].every((list) => list.length === 0)

/** Runs one scenario. Restores stopped services before and after it. */
export const runScenario = async (system: TestSystem, scenario: Scenario, settings: Settings): Promise<Outcome> => {
  const began = Date.now()
  const verifier = createTaskVerifier(system, createClient(system.apiUrl))
  await system.restoreServices()
  try {
    await scenario.run({
      system,
      random: createRandom(scenarioSeed(settings.seed, scenario.name)),
      times: settings.times,
      isShort: settings.isShort,
      verifier,
      log: settings.log,
    })
  } catch (error) {
    verifier.problem(error instanceof Error ? error.message : String(error))
  }
  await system.restoreServices().catch((error: Error) => verifier.problem(error.message))
  const result = await verifier.verify()
  const leftovers = await findLeftovers(system)
  return { ...result, leftovers, name: scenario.name, seconds: (Date.now() - began) / 1_000 }
}
