// A Matrix homeserver for a test file, with the bot, a user and an administrator, and functions to
// write to rooms and read them.

import { type MatrixUser, type RateLimit, startSynapse } from './synapse.ts'

type Content = Readonly<Record<string, unknown>> & {
  readonly msgtype?: string
  readonly body?: string
  readonly formatted_body?: string
  readonly url?: string
  readonly 'm.relates_to'?: { readonly rel_type?: string; readonly event_id?: string }
  readonly 'm.new_content'?: { readonly body?: string }
}

export type RoomEvent = {
  readonly event_id: string
  readonly sender: string
  readonly type: string
  readonly content: Content
}

let transactions = 0

/**
 * Starts a homeserver and registers its users.
 *
 * @param limit - the limit of messages per user; default: no limit
 */
export const startMatrixFixture = async (limit?: RateLimit) => {
  const synapse = await startSynapse(limit)
  const admin = await synapse.register('admin', true)
  const bot = await synapse.register('bot')
  const ann = await synapse.register('ann')
  const room = async (settings: object = {}, invited: readonly MatrixUser[] = [bot]): Promise<string> => {
    const created = await ann.call('POST', '/_matrix/client/v3/createRoom', {
      preset: 'private_chat',
      invite: invited.map((user) => user.id),
      ...settings,
    })
    return String(created.room_id)
  }
  const path = (roomId: string, rest: string) => `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/${rest}`
  const send = async (user: MatrixUser, roomId: string, type: string, content: object): Promise<string> => {
    transactions += 1
    const sent = await user.call('PUT', path(roomId, `send/${type}/test${transactions}`), content)
    return String(sent.event_id)
  }

  return {
    synapse,
    admin,
    bot,
    ann,
    room,
    path,
    env: {
      MATRIX_HOMESERVER_URL: synapse.url,
      MATRIX_ACCESS_TOKEN: bot.token,
      MATRIX_ALLOWED_USERS: ann.id,
    },
    /** Returns the messages and reactions that Ann sees in a room, oldest first. */
    roomEvents: async (roomId: string): Promise<readonly RoomEvent[]> => {
      const { chunk } = await ann.call('GET', path(roomId, 'messages?dir=b&limit=1000'))
      return (chunk as RoomEvent[])
        .filter(({ type }) => type === 'm.room.message' || type === 'm.reaction')
        .toReversed()
    },
    joined: async (user: MatrixUser): Promise<readonly string[]> =>
      (await user.call('GET', '/_matrix/client/v3/joined_rooms')).joined_rooms as string[],
    send,
    /** Sends a message in a thread. */
    say: (user: MatrixUser, roomId: string, root: string, body: string) =>
      send(user, roomId, 'm.room.message', {
        msgtype: 'm.text',
        body,
        'm.relates_to': {
          rel_type: 'm.thread',
          event_id: root,
          is_falling_back: true,
          'm.in_reply_to': { event_id: root },
        },
      }),
    react: (user: MatrixUser, roomId: string, eventId: string, key: string) =>
      send(user, roomId, 'm.reaction', { 'm.relates_to': { rel_type: 'm.annotation', event_id: eventId, key } }),
    close: () => synapse.stop(),
  }
}

export type MatrixFixture = Awaited<ReturnType<typeof startMatrixFixture>>
