// Prints the slowest test files at the end of a run.

import type { Reporter, TestModule } from 'vitest/node'

const COUNT = 10

const secondsOf = (module: TestModule): number => {
  const { setupDuration, collectDuration, duration } = module.diagnostic()
  return (setupDuration + collectDuration + duration) / 1_000
}

export const slowestReporter: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    if (modules.length <= 1) return
    const slowest = modules
      .map((module) => ({ name: module.relativeModuleId, seconds: secondsOf(module) }))
      .toSorted((a, b) => b.seconds - a.seconds)
      .slice(0, COUNT)
    console.log(`\nSlowest files (${slowest.length} of ${modules.length}):`)
    for (const { name, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(7)} s  ${name}`)
  },
}
