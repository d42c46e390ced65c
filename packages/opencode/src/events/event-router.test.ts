import { describe, expect, it } from 'vitest'
import { createRecorder, quiet } from '../opencode.fixture.ts'
import { createEventRouter } from './event-router.ts'
import type { OpenCodeEvent } from './event-stream.ts'

const idle = (sessionID: string): OpenCodeEvent => ({ id: 'evt_1', type: 'session.idle', properties: { sessionID } })

const created = (id: string, parentID: string): OpenCodeEvent => ({
  id: 'evt_2',
  type: 'session.created',
  properties: {
    sessionID: id,
    info: {
      id,
      parentID,
      slug: id,
      projectID: 'global',
      directory: '/work',
      title: id,
      version: '1',
      time: { created: 1, updated: 1 },
    },
  },
})

const subscribe = (router: ReturnType<typeof createEventRouter>, root: string) => {
  const recorder = createRecorder()
  return { recorder, ...router.add({ root, directory: '/work', listener: recorder.listener }) }
}

describe('createEventRouter', () => {
  it('routes events of a session and all sessions below it to a subscription, and no others', () => {
    const router = createEventRouter(quiet)
    const { recorder } = subscribe(router, 'ses_root')
    router.route(created('ses_child', 'ses_root'))
    router.route(created('ses_grandchild', 'ses_child'))
    router.route(created('ses_other_child', 'ses_other'))
    for (const id of ['ses_root', 'ses_child', 'ses_grandchild', 'ses_other', 'ses_other_child']) router.route(idle(id))
    expect(recorder.events('session.idle').map((event) => event.properties)).toEqual([
      { sessionID: 'ses_root' },
      { sessionID: 'ses_child' },
      { sessionID: 'ses_grandchild' },
    ])
    expect(router.tree('ses_root')).toEqual(['ses_root', 'ses_child', 'ses_grandchild'])
  })

  it('forgets a tree when the last subscription to it is removed', () => {
    const router = createEventRouter(quiet)
    const first = subscribe(router, 'ses_root')
    const second = subscribe(router, 'ses_root')
    router.route(created('ses_child', 'ses_root'))
    first.remove()
    router.route(idle('ses_child'))
    expect(first.recorder.events('session.idle')).toHaveLength(0)
    expect(second.recorder.events('session.idle')).toHaveLength(1)
    second.remove()
    expect(router.tree('ses_root')).toEqual(['ses_root'])
    expect(router.entries()).toEqual([])
  })

  it('continues with the other listeners when one throws', () => {
    const router = createEventRouter(quiet)
    const broken = () => {
      throw new Error('broken')
    }
    router.add({ root: 'ses_root', directory: '/work', listener: broken })
    const { recorder } = subscribe(router, 'ses_root')
    router.route(idle('ses_root'))
    expect(recorder.events()).toHaveLength(1)
  })
})
