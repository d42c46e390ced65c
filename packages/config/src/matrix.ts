// Matrix as the notifier needs it: the homeserver, the bot on it, and the rooms.

import type { Environment } from './settings/index.ts'

export type MatrixSettings = Readonly<{
  homeserverUrl: string
  accessToken: string
  /** The user that the token must belong to; undefined: any user. */
  userId: string | undefined
  /** Where tasks are reported: a room's id or alias; undefined when each task has its own room. */
  room: string | undefined
  /** Rooms of single agents, by agent. */
  rooms: ReadonlyMap<string, string>
  roomPerTask: boolean
  /** Who may steer, answer and invite. */
  allowedUsers: readonly string[]
  /** Shortest time between edits of a progress message, ms; 0: no progress message. */
  progressIntervalMs: number
}>

/**
 * Combines the Matrix settings; undefined when Matrix is off.
 *
 * @param problems - receives what is wrong with the combination.
 */
export const matrixSettings = (vars: Environment, problems: string[]): MatrixSettings | undefined => {
  const { MATRIX_HOMESERVER_URL: homeserverUrl, MATRIX_ACCESS_TOKEN: accessToken } = vars
  if (homeserverUrl === undefined && accessToken === undefined) return undefined
  if (homeserverUrl === undefined || accessToken === undefined) {
    problems.push('MATRIX_HOMESERVER_URL and MATRIX_ACCESS_TOKEN belong together: set both, or neither')
    return undefined
  }
  if (vars.MATRIX_ROOM_ID === undefined && !vars.MATRIX_ROOM_PER_TASK)
    problems.push(
      'MATRIX_ROOM_ID is not set: name the room in which tasks are reported, or set MATRIX_ROOM_PER_TASK=true',
    )
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
