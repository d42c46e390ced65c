// A short run of `npm run chaos`: every scenario a few times on one system, with the same checks.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findRegisteredWorkers, findRunningProcesses } from './leftovers.ts'
import { runScenario } from './run-scenario.ts'
import { SCENARIOS } from './scenarios/index.ts'
import { startSystem, type TestSystem } from './system.ts'
import { listProblems } from './table.ts'
import { whyNoValkey } from './valkey.ts'

const missing = await whyNoValkey()

describe.skipIf(missing !== undefined)(`the system under faults${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let system: TestSystem
  let isClosed = false

  beforeAll(async () => {
    system = await startSystem()
  })

  afterAll(async () => {
    if (!isClosed) await system?.close(true)
  })

  for (const scenario of SCENARIOS)
    it(`loses, repeats and leaves behind nothing in ${scenario.name}`, async () => {
      const outcome = await runScenario(system, scenario, {
        seed: 1,
        times: scenario.times.short,
        isShort: true,
        log: () => {},
      })
      expect(outcome.submitted).toBeGreaterThan(0)
      expect(listProblems(outcome)).toEqual([])
    })

  it('stops without leaving a registered worker or a process', async () => {
    expect(await system.stopServices()).toEqual([])
    expect(await findRegisteredWorkers(system)).toEqual([])
    isClosed = true
    await system.close(false)
    expect(await findRunningProcesses(system.runId)).toEqual([])
  })
})
