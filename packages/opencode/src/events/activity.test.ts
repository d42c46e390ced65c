import { describe, expect, it } from 'vitest'
import { createActivity } from './activity.ts'
import type { OpenCodeEvent } from './event-stream.ts'

const status = (sessionID: string, type: 'busy' | 'idle'): OpenCodeEvent => ({
  id: 'evt_1',
  type: 'session.status',
  properties: { sessionID, status: { type } },
})

const ids = (activity: ReturnType<typeof createActivity>) => activity.busy().map(({ sessionId }) => sessionId)

describe('what works on a server', () => {
  it('is what was said to be busy, until it is idle', () => {
    const activity = createActivity()
    activity.hear(status('ses_a', 'busy'), '/work/a')
    activity.hear(status('ses_b', 'busy'), '/work/b')
    expect(activity.busy()).toContainEqual({ sessionId: 'ses_a', directory: '/work/a', status: 'busy' })
    activity.hear(status('ses_a', 'idle'), '/work/a')
    expect(ids(activity)).toEqual(['ses_b'])
  })

  it('is learned from streamed text where the beginning was missed', () => {
    const activity = createActivity()
    const properties = { sessionID: 'ses_a', messageID: 'msg_1', partID: 'prt_1', field: 'text', delta: 'he' }
    activity.hear({ id: 'evt_1', type: 'message.part.delta', properties }, '/work/a')
    expect(ids(activity)).toEqual(['ses_a'])
  })

  it('ends with the directory’s instance, and with the server', () => {
    const activity = createActivity()
    activity.hear(status('ses_a', 'busy'), '/work/a')
    activity.hear(status('ses_b', 'busy'), '/work/b')
    activity.hear({ id: 'evt_2', type: 'server.instance.disposed', properties: { directory: '/work/a' } }, '/work/a')
    expect(ids(activity)).toEqual(['ses_b'])
    activity.clear()
    expect(ids(activity)).toEqual([])
  })

  it('is asked for again after a gap', async () => {
    const activity = createActivity()
    activity.hear(status('ses_a', 'busy'), '/work/a')
    activity.hear(status('ses_b', 'busy'), '/work/b')
    await activity.confirm(async (directory) => (directory === '/work/b' ? { ses_b: { type: 'busy' } } : {}))
    expect(ids(activity)).toEqual(['ses_b'])
  })

  it('has what works in further directories that were asked, but for what ended while they were', async () => {
    const activity = createActivity()
    await activity.confirm(async () => {
      activity.hear(status('ses_b', 'idle'), '/work/a')
      return { ses_a: { type: 'busy' }, ses_b: { type: 'busy' }, ses_c: { type: 'idle' } }
    }, ['/work/a'])
    expect(activity.busy()).toEqual([{ sessionId: 'ses_a', directory: '/work/a', status: 'busy' }])
  })

  it('counts root sessions by directory, each once', () => {
    const activity = createActivity()
    expect(activity.sessions()).toBeUndefined()
    activity.count([
      { id: 'ses_a', directory: '/work/a' },
      { id: 'ses_b', directory: '/work/a' },
    ])
    activity.count([
      { id: 'ses_a', directory: '/work/a' },
      { id: 'ses_c', directory: '/work/c' },
    ])
    expect(Object.fromEntries(activity.sessions() ?? [])).toEqual({ '/work/a': 1, '/work/c': 1 })
  })
})
