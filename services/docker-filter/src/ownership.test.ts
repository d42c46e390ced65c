import { describe, expect, it } from 'vitest'
import { startFakeEngine } from './engine.fixture.ts'
import { type ContainerFacts, factsOf, Ownership } from './ownership.ts'

const NOWHERE = { socketPath: '/nonexistent/docker.sock' }
const TASK = { 'switchyard.task': 'task_1' }
const OURS = { 'switchyard.network': 'runners' }

const facts = (labels: Readonly<Record<string, string>>, networkMode = 'runners'): ContainerFacts => ({
  labels,
  networkMode,
})

describe('Ownership.owns', () => {
  const ownership = new Ownership(NOWHERE, ['runners', 'servers'])

  it.each(['switchyard.task', 'switchyard.server', 'switchyard.namespace'])(
    'accepts a container with %s and the label of this installation, whatever its network',
    async (kind) => {
      expect(await ownership.owns(facts({ [kind]: 'x', ...OURS }, 'container:abc'))).toBe(true)
    },
  )

  it('rejects a container with the label of another installation, even in a network of this one', async () => {
    expect(await ownership.owns(facts({ ...TASK, 'switchyard.network': 'other' }))).toBe(false)
  })

  it('rejects a container that is not of Switchyard', async () => {
    expect(await ownership.owns(facts({}))).toBe(false)
    expect(await ownership.owns(facts(OURS))).toBe(false)
    expect(await ownership.owns(factsOf({ Id: 'a1', Config: { Labels: null } }))).toBe(false)
  })

  it.each([
    ['runners', true],
    ['servers', true],
    ['bridge', false],
  ])('decides by the network %s for a container without a label', async (network, isOwned) => {
    expect(await ownership.owns(facts(TASK, network))).toBe(isOwned)
  })

  it('decides by the network of the container that was joined, for one without a label', async () => {
    const holder = (networkMode: string) => ({
      json: {
        Id: 'h1',
        Config: { Labels: { 'switchyard.namespace': 'worker_1' } },
        HostConfig: { NetworkMode: networkMode },
      },
    })
    await using engine = await startFakeEngine({
      'GET /containers/ours/json': holder('runners'),
      'GET /containers/theirs/json': holder('other'),
      'GET /containers/chained/json': holder('container:ours'),
    })
    const owns = async (joined: string) =>
      await new Ownership(engine.address, ['runners']).owns(facts(TASK, `container:${joined}`))
    expect(await owns('ours')).toBe(true)
    expect(await owns('theirs')).toBe(false)
    expect(await owns('chained')).toBe(false)
    expect(await owns('missing')).toBe(false)
  })
})

describe('Ownership.filterOwned', () => {
  it('keeps the containers of this installation, in order', async () => {
    const container = (labels: Record<string, string>) => ({ Labels: labels, HostConfig: { NetworkMode: 'runners' } })
    const [first, other, second] = [
      container({ ...TASK, ...OURS }),
      container({ ...TASK, 'switchyard.network': 'other' }),
      container(TASK),
    ]
    const ownership = new Ownership(NOWHERE, ['runners'])
    expect(await ownership.filterOwned([first, other, second])).toEqual([first, second])
  })
})

describe('Ownership.mayUseVolume', () => {
  it('refuses only a volume with the label of another installation', async () => {
    await using engine = await startFakeEngine({
      'GET /volumes/ours': { json: { Labels: OURS } },
      'GET /volumes/theirs': { json: { Labels: { 'switchyard.network': 'other' } } },
      'GET /volumes/unlabelled': { json: { Labels: null } },
    })
    const ownership = new Ownership(engine.address, ['runners'])
    expect(await ownership.mayUseVolume('ours')).toBe(true)
    expect(await ownership.mayUseVolume('theirs')).toBe(false)
    expect(await ownership.mayUseVolume('unlabelled')).toBe(true)
    expect(await ownership.mayUseVolume('missing')).toBe(true)
  })
})
