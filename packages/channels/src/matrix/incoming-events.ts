// Parses the messages and reactions of a /sync response. It ignores the bot's own messages, those of
// users who may not steer tasks, edits, and malformed events.

import { z } from 'zod'

type Common = {
  readonly eventId: string
  readonly roomId: string
  readonly sender: string
  /** When the homeserver received it, ms since the epoch. */
  readonly at: number
}

export type IncomingEvent = Common &
  (
    | {
        readonly kind: 'message'
        readonly body: string
        /** The events it refers to, the closest first: the message it replies to, the root of its thread. */
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

/** A room with events that the homeserver left out: those between the last position and `from`. */
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

/** Events per room in one response; a room with more events has a gap. */
const TIMELINE = 100

export const SYNC_FILTER = JSON.stringify({
  presence: NOTHING,
  account_data: NOTHING,
  room: { timeline: { types: TYPES, limit: TIMELINE }, state: NOTHING, ephemeral: NOTHING, account_data: NOTHING },
})

export const MESSAGES_QUERY = { dir: 'b', limit: TIMELINE, filter: JSON.stringify({ types: TYPES }) } as const

const invitationOf = (roomId: string, events: readonly unknown[], userId: string): Invitation | undefined => {
  for (const event of events) {
    const member = memberSchema.safeParse(event)
    if (member.success && member.data.state_key === userId) return { roomId, sender: member.data.sender }
  }
  return undefined
}

/** Parses a /sync response. @param userId - the bot's own. @throws ZodError if it is malformed */
export const parseSync = (answer: unknown, userId: string): Sync => {
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

/** Parses a /messages response: its events, newest first, and the position of the next page. */
export const parseMessagesPage = (
  answer: unknown,
): { readonly events: readonly unknown[]; readonly end: string | undefined } => {
  const { chunk, end } = pageSchema.parse(answer)
  return { events: chunk, end }
}

/** Older clients quote the message they reply to, in lines that begin with `>`, followed by an empty line. */
const withoutQuote = (body: string): string => body.replace(/^(?:>[^\n]*\n)+\n?/, '')

/**
 * Parses an event of a room.
 *
 * @param userId - the bot's own, whose events are ignored.
 * @param allowed - the users who may steer tasks.
 * @returns undefined if there is nothing to do.
 */
export const parseEvent = (
  event: unknown,
  roomId: string,
  userId: string,
  allowed: ReadonlySet<string>,
): IncomingEvent | undefined => {
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
  // In a thread, clients name the last message as a fallback for clients without threads; that is not a reply.
  const repliedTo = isThread && relation.is_falling_back ? undefined : relation?.['m.in_reply_to']?.event_id
  const body = (repliedTo === undefined ? (content.body ?? '') : withoutQuote(content.body ?? '')).trim()
  if (body === '') return undefined
  return { ...common, kind: 'message', body, refersTo: [repliedTo, root].filter((id) => id !== undefined) }
}
