import { expect, it } from 'vitest'
import { GoneLanes } from './gone-lanes.ts'

it('takes a lane for gone while it was never there, and 10 s after its last worker', () => {
  const lanes = new GoneLanes()
  expect([...lanes.see(new Map([['blue', 1]]), 0)]).toEqual(['green', 'docker'])
  expect([...lanes.see(new Map([['docker', 2]]), 10_000)]).toEqual(['green'])
  expect([...lanes.see(new Map([['docker', 2]]), 10_001)]).toEqual(['blue', 'green'])
  expect([...lanes.see(new Map([['blue', 1]]), 20_000)]).toEqual(['green'])
})
