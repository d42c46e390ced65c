import { describe, expect, it } from 'vitest'
import { startFakeEngine } from './engine.fixture.ts'
import { removeIdleNamespaces } from './idle-namespaces.ts'

describe('removeIdleNamespaces', () => {
  it('removes the namespaces that no task has joined, and retries those that the engine refuses to remove', async () => {
    const namespaces = new Set(['used', 'idle', 'starting'])
    let refusals = 1
    let lists = 0
    await using engine = await startFakeEngine({
      // Each pass lists the namespaces first and then the tasks.
      'GET /containers/json': () => ({
        json:
          lists++ % 2 === 0
            ? [...namespaces].map((Id) => ({ Id, HostConfig: { NetworkMode: 'runners' } }))
            : [{ Id: 'task', HostConfig: { NetworkMode: 'container:used' } }],
      }),
      'DELETE /containers/idle': () => {
        namespaces.delete('idle')
        return { status: 204 }
      },
      'DELETE /containers/starting': () => {
        if (refusals-- > 0) return { status: 409, json: { message: 'removal in progress' } }
        namespaces.delete('starting')
        return { status: 204 }
      },
    })
    await removeIdleNamespaces(engine.address, 'runners')
    expect([...namespaces]).toEqual(['used'])
    expect(engine.calls.filter(({ route }) => route.startsWith('DELETE /containers/used'))).toEqual([])
  })

  it('fails when the engine cannot list containers', async () => {
    await using engine = await startFakeEngine({ 'GET /containers/json': { status: 500, json: { message: 'no' } } })
    await expect(removeIdleNamespaces(engine.address, 'runners')).rejects.toThrow('could not list containers')
  })
})
