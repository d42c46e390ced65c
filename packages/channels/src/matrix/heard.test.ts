import { describe, expect, it } from 'vitest'
import { hear, readSync } from './heard.ts'

const BOT = '@bot:x'
const ANN = '@ann:x'
const allowed = new Set([ANN, BOT])

const said = (content: object, more: object = {}) =>
  hear(
    { event_id: '$e', type: 'm.room.message', sender: ANN, origin_server_ts: 1, content, ...more },
    '!r',
    BOT,
    allowed,
  )
const text = (body: string, relation?: object) => ({ msgtype: 'm.text', body, 'm.relates_to': relation })

describe('what is heard', () => {
  it('is what those who may steer say, with what it refers to', () => {
    const relation = {
      rel_type: 'm.thread',
      event_id: '$root',
      is_falling_back: true,
      'm.in_reply_to': { event_id: '$last' },
    }
    expect(said(text(' go on ', relation))).toMatchObject({ kind: 'message', body: 'go on', refersTo: ['$root'] })
    expect(said(text('go on', { ...relation, is_falling_back: false }))).toMatchObject({ refersTo: ['$last', '$root'] })
  })

  it('leaves out what an older client repeats of the message that it answers', () => {
    const body = '> <@bot:x> May I?\n> Please.\n\nyes\n> no'
    expect(said(text(body, { 'm.in_reply_to': { event_id: '$ask' } }))).toMatchObject({
      body: 'yes\n> no',
      refersTo: ['$ask'],
    })
    expect(said(text('> yes'))).toMatchObject({ body: '> yes' })
  })

  it('is a reaction, with its sign', () => {
    const relation = { rel_type: 'm.annotation', event_id: '$ask', key: '✅' }
    expect(said({ 'm.relates_to': relation }, { type: 'm.reaction' })).toMatchObject({
      kind: 'reaction',
      key: '✅',
      refersTo: ['$ask'],
    })
  })

  it.each([
    ['our own words', text('!cancel'), { sender: BOT }],
    ['those of a stranger', text('!cancel'), { sender: '@eve:x' }],
    ['an edit', text('* !cancel', { rel_type: 'm.replace', event_id: '$before' }), {}],
    ['a notice, as other bots say them', { msgtype: 'm.notice', body: '!cancel' }, {}],
    ['a message that was taken back', {}, {}],
    ['nothing', text('  '), {}],
    ['what has another form', { msgtype: 'm.text', body: 7 }, {}],
  ])('is not %s', (_, content, more) => {
    expect(said(content, more)).toBeUndefined()
  })
})

it('reads of a sync who invites, and where something was left out', () => {
  const invite = { type: 'm.room.member', state_key: BOT, sender: ANN, content: { membership: 'invite' } }
  const sync = readSync(
    {
      next_batch: 's2',
      rooms: {
        join: { '!a': { timeline: { events: [1], limited: true, prev_batch: 'p' } }, '!b': {} },
        invite: {
          '!c': { invite_state: { events: [{ type: 'm.room.name' }, invite] } },
          '!d': { invite_state: { events: [] } },
        },
      },
    },
    BOT,
  )
  expect(sync).toMatchObject({
    next: 's2',
    gaps: [{ roomId: '!a', from: 'p' }],
    invitations: [{ roomId: '!c', sender: ANN }],
  })
  expect(readSync({ next_batch: 's3' }, BOT)).toMatchObject({ next: 's3', gaps: [], invitations: [] })
})
