// What people say and react in rooms, taken from what a homeserver tells in /sync. What is not of use is left out: our own
// messages, those of people who may not steer, edits, and whatever has not the form that it should have.

import { z } from 'zod'

type Common = {
  readonly eventId: string
  readonly roomId: string
  readonly sender: string
  /** When the homeserver had it, ms since the epoch. */
  readonly at: number
}

export type Heard = Common &
  (
    | {
        readonly kind: 'message'
        readonly body: string
        /** What it refers to, the nearest first: the message that it answers, the root of its thread. */
        readonly refersTo: readonly string[]
      }
    | {
        readonly kind: 'reaction'
        readonly key: string
        readonly eventId: string
        readonly refersTo: readonly string[]
      }
  )

type Invitation = { readonly roomId: string; readonly sender: string }

/** A room of which the homeserver has left out a part: what lies before `from` and after the last position. */
type Gap = { readonly roomId: string; readonly from: string }

export type Sync = {
  readonly next: string
  /** The events of each room, oldest first. */
  readonly rooms: ReadonlyMap<string, readonly unknown[]>
  readonly gaps: readonly Gap[]
  readonly invitations: readonly Invitation[]
}

const eventSchema = z.object({
  event_id: z.string(),
  type: z.string(),
  sender: z.string(),
  origin_server_ts: z.number(),
  content: z.object({
    msgtype: z.string().optional(),
    body: z.string().optional(),
    'm.relates_to': z
      .object({
        rel_type: z.string().optional(),
        event_id: z.string().optional(),
        key: z.string().optional(),
        is_falling_back: z.boolean().optional(),
        'm.in_reply_to': z.object({ event_id: z.string() }).optional(),
      })
      .optional(),
  }),
})

const memberSchema = z.object({
  type: z.literal('m.room.member'),
  state_key: z.string(),
  sender: z.string(),
  content: z.object({ membership: z.literal('invite') }),
})

const syncSchema = z.object({
  next_batch: z.string(),
  rooms: z
    .object({
      join: z
        .record(
          z.string(),
          z.object({
            timeline: z
              .object({
                events: z.array(z.unknown()).default([]),
                limited: z.boolean().optional(),
                prev_batch: z.string().optional(),
              })
              .default({ events: [] }),
          }),
        )
        .default({}),
      invite: z.record(z.string(), z.object({ invite_state: z.object({ events: z.array(z.unknown()) }) })).default({}),
    })
    .default({ join: {}, invite: {} }),
})

const TYPES = ['m.room.message', 'm.reaction']
const NOTHING = { types: [] }

/** So much of each room at once; a room in which more was said has a gap. */
const TIMELINE = 100

export const SYNC_FILTER = JSON.stringify({
  presence: NOTHING,
  account_data: NOTHING,
  room: { timeline: { types: TYPES, limit: TIMELINE }, state: NOTHING, ephemeral: NOTHING, account_data: NOTHING },
})

export const PAGE_QUERY = { dir: 'b', limit: TIMELINE, filter: JSON.stringify({ types: TYPES }) } as const

const invitationOf = (roomId: string, events: readonly unknown[], userId: string): Invitation | undefined => {
  for (const event of events) {
    const member = memberSchema.safeParse(event)
    if (member.success && member.data.state_key === userId) return { roomId, sender: member.data.sender }
  }
  return undefined
}

/** @param userId - our own. @throws ZodError where it is no answer of /sync. */
export const readSync = (answer: unknown, userId: string): Sync => {
  const { next_batch: next, rooms } = syncSchema.parse(answer)
  const joined = Object.entries(rooms.join)
  return {
    next,
    rooms: new Map(joined.map(([roomId, { timeline }]) => [roomId, timeline.events])),
    gaps: joined.flatMap(([roomId, { timeline }]) =>
      timeline.limited && timeline.prev_batch !== undefined ? [{ roomId, from: timeline.prev_batch }] : [],
    ),
    invitations: Object.entries(rooms.invite).flatMap(
      ([roomId, { invite_state }]) => invitationOf(roomId, invite_state.events, userId) ?? [],
    ),
  }
}

const pageSchema = z.object({ chunk: z.array(z.unknown()), end: z.string().optional() })

/** A page of /messages: its events, newest first, and where the next one begins. */
export const readPage = (
  answer: unknown,
): { readonly events: readonly unknown[]; readonly end: string | undefined } => {
  const { chunk, end } = pageSchema.parse(answer)
  return { events: chunk, end }
}

/** Older clients repeat what they answer, in lines that begin with `>`, up to an empty one. */
const withoutQuote = (body: string): string => body.replace(/^(?:>[^\n]*\n)+\n?/, '')

/**
 * @param userId - our own: what we say ourselves is not for us.
 * @param allowed - who may steer. @returns undefined for all that is nothing to act on.
 */
export const hear = (
  event: unknown,
  roomId: string,
  userId: string,
  allowed: ReadonlySet<string>,
): Heard | undefined => {
  const parsed = eventSchema.safeParse(event)
  if (!parsed.success) return undefined
  const { type, sender, event_id: eventId, origin_server_ts: at, content } = parsed.data
  if (sender === userId || !allowed.has(sender)) return undefined
  const relation = content['m.relates_to']
  const common = { eventId, roomId, sender, at }
  if (type === 'm.reaction') {
    if (relation?.rel_type !== 'm.annotation' || !relation.key || !relation.event_id) return undefined
    return { ...common, kind: 'reaction', key: relation.key, refersTo: [relation.event_id] }
  }
  if (type !== 'm.room.message' || content.msgtype !== 'm.text' || relation?.rel_type === 'm.replace') return undefined
  const isThread = relation?.rel_type === 'm.thread'
  const root = isThread ? relation.event_id : undefined
  // Within a thread the last message is named for clients without threads; that is no answer to it.
  const answered = isThread && relation.is_falling_back ? undefined : relation?.['m.in_reply_to']?.event_id
  const body = (answered === undefined ? (content.body ?? '') : withoutQuote(content.body ?? '')).trim()
  if (body === '') return undefined
  return { ...common, kind: 'message', body, refersTo: [answered, root].filter((id) => id !== undefined) }
}
