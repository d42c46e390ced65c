import { describe, expect, it } from 'vitest'
import { parseEvent, parseSync } from './incoming-events.ts'

const BOT = '@bot:x'
const ANN = '@ann:x'
const allowed = new Set([ANN, BOT])

const parse = (content: object, more: object = {}) =>
  parseEvent(
    { event_id: '$e', type: 'm.room.message', sender: ANN, origin_server_ts: 1, content, ...more },
    '!r',
    BOT,
    allowed,
  )
const text = (body: string, relation?: object) => ({ msgtype: 'm.text', body, 'm.relates_to': relation })

describe('parseEvent', () => {
  it('returns a message of an allowed user with the events it refers to', () => {
    const relation = {
      rel_type: 'm.thread',
      event_id: '$root',
      is_falling_back: true,
      'm.in_reply_to': { event_id: '$last' },
    }
    expect(parse(text(' go on ', relation))).toMatchObject({ kind: 'message', body: 'go on', refersTo: ['$root'] })
    expect(parse(text('go on', { ...relation, is_falling_back: false }))).toMatchObject({
      refersTo: ['$last', '$root'],
    })
  })

  it('removes the quote that an older client adds to a reply', () => {
    const body = '> <@bot:x> May I?\n> Please.\n\nyes\n> no'
    expect(parse(text(body, { 'm.in_reply_to': { event_id: '$ask' } }))).toMatchObject({
      body: 'yes\n> no',
      refersTo: ['$ask'],
    })
    expect(parse(text('> yes'))).toMatchObject({ body: '> yes' })
  })

  it('returns a reaction with its emoji', () => {
    const relation = { rel_type: 'm.annotation', event_id: '$ask', key: '✅' }
    expect(parse({ 'm.relates_to': relation }, { type: 'm.reaction' })).toMatchObject({
      kind: 'reaction',
      key: '✅',
      refersTo: ['$ask'],
    })
  })

  it.each([
    ["the bot's own message", text('!cancel'), { sender: BOT }],
    ['a message of another user', text('!cancel'), { sender: '@eve:x' }],
    ['an edit', text('* !cancel', { rel_type: 'm.replace', event_id: '$before' }), {}],
    ['a notice, which bots send', { msgtype: 'm.notice', body: '!cancel' }, {}],
    ['a deleted message', {}, {}],
    ['an empty message', text('  '), {}],
    ['a malformed message', { msgtype: 'm.text', body: 7 }, {}],
  ])('ignores %s', (_, content, more) => {
    expect(parse(content, more)).toBeUndefined()
  })
})

it('parses the invitations and gaps of a sync response', () => {
  const invite = { type: 'm.room.member', state_key: BOT, sender: ANN, content: { membership: 'invite' } }
  const sync = parseSync(
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
  expect(parseSync({ next_batch: 's3' }, BOT)).toMatchObject({ next: 's3', gaps: [], invitations: [] })
})
