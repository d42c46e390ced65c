import { expect, it } from 'vitest'
import { GoneLanes } from './gone-lanes.ts'

it('takes a lane for gone 10 s after its last worker, and one that did not come with the others', () => {
  const lanes = new GoneLanes()
  expect([...lanes.see(new Map([['blue', 1]]), 0)]).toEqual(['green', 'docker'])
  expect([...lanes.see(new Map([['docker', 2]]), 10_000)]).toEqual(['green'])
  expect([...lanes.see(new Map([['docker', 2]]), 10_001)]).toEqual(['blue', 'green'])
  expect([...lanes.see(new Map([['blue', 1]]), 20_000)]).toEqual(['green'])
})

it('waits a minute for the first server, and not for Docker', () => {
  const lanes = new GoneLanes()
  expect([...lanes.see(new Map([['docker', 1]]), 5)]).toEqual([])
  expect([...lanes.see(new Map([['docker', 1]]), 60_005)]).toEqual([])
  expect([...lanes.see(new Map([['docker', 1]]), 60_006)]).toEqual(['blue', 'green'])
})
