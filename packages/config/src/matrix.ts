// MATRIX_*: the homeserver, the bot on it, and the rooms in which people are told and answer.

import { z } from 'zod'
import { flag, integer, text, url } from './parse.ts'

const entries = (value: unknown): unknown =>
  typeof value === 'string'
    ? value
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '')
    : []

const ROOM = /^[!#]\S{1,254}$/
const USER = /^@[^\s:]+:\S+$/

/** A value that is no room must not be repeated in a message: it may be a token in the wrong place. */
const agentRoom = z.string().transform((entry, context): readonly [string, string] => {
  const at = entry.indexOf('=')
  const [agent, room] = [entry.slice(0, at).trim(), entry.slice(at + 1).trim()]
  if (at > 0 && ROOM.test(room)) return [agent, room]
  context.addIssue('has an entry that is not agent=room')
  return z.NEVER
})

export const matrixVariables = {
  MATRIX_HOMESERVER_URL: url('http', 'https'),
  MATRIX_ACCESS_TOKEN: text(),
  MATRIX_USER_ID: z.preprocess(
    (value) => (value === '' ? undefined : value),
    z.string().regex(USER, 'is not @user:server').optional(),
  ),
  MATRIX_ROOM_ID: z.preprocess(
    (value) => (value === '' ? undefined : value),
    z.string().regex(ROOM, 'is neither a room id (!…) nor an alias (#…)').optional(),
  ),
  MATRIX_ROOMS: z.preprocess(entries, z.array(agentRoom)),
  MATRIX_ROOM_PER_TASK: flag(false),
  MATRIX_ALLOWED_USERS: z.preprocess(entries, z.array(z.string().regex(USER, 'has an entry that is not @user:server'))),
  MATRIX_PROGRESS_INTERVAL_MS: integer(30_000, 0, 86_400_000),
}

export type MatrixSettings = Readonly<{
  homeserverUrl: string
  accessToken: string
  /** Whom the token must belong to; undefined: whomever it does. */
  userId: string | undefined
  /** Where tasks are told: a room's id or alias; undefined where each task has a room of its own. */
  room: string | undefined
  /** Rooms of agents that have one of their own. */
  rooms: ReadonlyMap<string, string>
  roomPerTask: boolean
  /** Who may steer, answer and invite. */
  allowedUsers: readonly string[]
  /** For each task a progress in so long, at most, ms; 0: none. */
  progressIntervalMs: number
}>

/** @param problems - what is wrong with the variables together is added here. */
export const matrixSettings = (
  vars: z.infer<z.ZodObject<typeof matrixVariables>>,
  problems: string[],
): MatrixSettings | undefined => {
  const { MATRIX_HOMESERVER_URL: homeserverUrl, MATRIX_ACCESS_TOKEN: accessToken } = vars
  if (homeserverUrl === undefined && accessToken === undefined) return undefined
  if (homeserverUrl === undefined || accessToken === undefined) {
    problems.push('MATRIX_HOMESERVER_URL and MATRIX_ACCESS_TOKEN belong together: set both, or neither')
    return undefined
  }
  if (vars.MATRIX_ROOM_ID === undefined && !vars.MATRIX_ROOM_PER_TASK)
    problems.push('MATRIX_ROOM_ID is not set: name the room in which tasks are told, or set MATRIX_ROOM_PER_TASK=true')
  return Object.freeze({
    homeserverUrl,
    accessToken,
    userId: vars.MATRIX_USER_ID,
    room: vars.MATRIX_ROOM_ID,
    rooms: new Map(vars.MATRIX_ROOMS),
    roomPerTask: vars.MATRIX_ROOM_PER_TASK,
    allowedUsers: Object.freeze(vars.MATRIX_ALLOWED_USERS),
    progressIntervalMs: vars.MATRIX_PROGRESS_INTERVAL_MS,
  })
}
