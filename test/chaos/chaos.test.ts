// A short run of `npm run chaos`: every scenario a few times, on one system, with the same judgement.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftRunning, leftSignedIn } from './leftovers.ts'
import { play } from './run.ts'
import { SCENARIOS } from './scenarios/index.ts'
import { findings } from './table.ts'
import { whyNoValkey } from './valkey.ts'
import { startWorld, type World } from './world.ts'

const missing = await whyNoValkey()

describe.skipIf(missing !== undefined)(`under faults${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let world: World
  let isClosed = false

  beforeAll(async () => {
    world = await startWorld()
  })

  afterAll(async () => {
    if (!isClosed) await world?.close(true)
  })

  for (const scenario of SCENARIOS)
    it(`${scenario.name}: nothing is lost, run twice, reported twice or left over`, async () => {
      const outcome = await play(world, scenario, {
        seed: 1,
        times: scenario.times.short,
        isShort: true,
        say: () => {},
      })
      expect(outcome.submitted).toBeGreaterThan(0)
      expect(findings(outcome)).toEqual([])
    })

  it('ends with nothing left', async () => {
    expect(await world.stopServices()).toEqual([])
    expect(await leftSignedIn(world)).toEqual([])
    isClosed = true
    await world.close(false)
    expect(await leftRunning(world.runId)).toEqual([])
  })
})
