import { describe, expect, it } from 'vitest'
import { createActivity } from './activity.ts'
import type { OpenCodeEvent } from './event-stream.ts'

const status = (sessionID: string, type: 'busy' | 'idle'): OpenCodeEvent => ({
  id: 'evt_1',
  type: 'session.status',
  properties: { sessionID, status: { type } },
})

const ids = (activity: ReturnType<typeof createActivity>) => activity.busy().map(({ sessionId }) => sessionId)

describe('createActivity', () => {
  it('reports a session as busy until it is idle', () => {
    const activity = createActivity()
    activity.apply(status('ses_a', 'busy'), '/work/a')
    activity.apply(status('ses_b', 'busy'), '/work/b')
    expect(activity.busy()).toContainEqual({ sessionId: 'ses_a', directory: '/work/a', status: 'busy' })
    activity.apply(status('ses_a', 'idle'), '/work/a')
    expect(ids(activity)).toEqual(['ses_b'])
  })

  it('reports a session that streams text as busy when the start of its turn was missed', () => {
    const activity = createActivity()
    const properties = { sessionID: 'ses_a', messageID: 'msg_1', partID: 'prt_1', field: 'text', delta: 'he' }
    activity.apply({ id: 'evt_1', type: 'message.part.delta', properties }, '/work/a')
    expect(ids(activity)).toEqual(['ses_a'])
  })

  it('forgets the sessions of a disposed directory, and all of them when the server restarts', () => {
    const activity = createActivity()
    activity.apply(status('ses_a', 'busy'), '/work/a')
    activity.apply(status('ses_b', 'busy'), '/work/b')
    activity.apply({ id: 'evt_2', type: 'server.instance.disposed', properties: { directory: '/work/a' } }, '/work/a')
    expect(ids(activity)).toEqual(['ses_b'])
    activity.clear()
    expect(ids(activity)).toEqual([])
  })

  it('forgets sessions that ended in a gap of the stream', async () => {
    const activity = createActivity()
    activity.apply(status('ses_a', 'busy'), '/work/a')
    activity.apply(status('ses_b', 'busy'), '/work/b')
    await activity.refresh(async (directory) => (directory === '/work/b' ? { ses_b: { type: 'busy' } } : {}))
    expect(ids(activity)).toEqual(['ses_b'])
  })

  it('adds busy sessions of further directories, except those that ended while their status was read', async () => {
    const activity = createActivity()
    await activity.refresh(async () => {
      activity.apply(status('ses_b', 'idle'), '/work/a')
      return { ses_a: { type: 'busy' }, ses_b: { type: 'busy' }, ses_c: { type: 'idle' } }
    }, ['/work/a'])
    expect(activity.busy()).toEqual([{ sessionId: 'ses_a', directory: '/work/a', status: 'busy' }])
  })

  it('counts each root session once, by directory', () => {
    const activity = createActivity()
    expect(activity.sessionCounts()).toBeUndefined()
    activity.setSessions([
      { id: 'ses_a', directory: '/work/a' },
      { id: 'ses_b', directory: '/work/a' },
    ])
    activity.setSessions([
      { id: 'ses_a', directory: '/work/a' },
      { id: 'ses_c', directory: '/work/c' },
    ])
    expect(Object.fromEntries(activity.sessionCounts() ?? [])).toEqual({ '/work/a': 1, '/work/c': 1 })
  })
})
