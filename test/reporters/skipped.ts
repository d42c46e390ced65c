// Lists the tests that were skipped and why, at the end of a run: a skipped test must not look like a passed one.

import type { Reporter, TestCase, TestModule } from 'vitest/node'

const reasonOf = (test: TestCase): string => {
  const result = test.result()
  const note = result.state === 'skipped' ? result.note : undefined
  if (note) return note
  if (test.options.mode === 'todo') return 'not written yet'
  return test.module.ok() ? 'no reason given' : 'what it needs could not be set up'
}

export const skippedReporter: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const byReason = new Map<string, string[]>()
    for (const module of modules)
      for (const test of module.children.allTests('skipped')) {
        const reason = reasonOf(test)
        byReason.set(reason, [...(byReason.get(reason) ?? []), `${module.relativeModuleId} > ${test.fullName}`])
      }
    for (const [reason, tests] of byReason) {
      console.log(`\nSkipped (${tests.length}): ${reason}`)
      for (const test of tests) console.log(`  ${test}`)
    }
  },
}
