// Matrix: the homeserver, the bot on it, and the rooms in which tasks are reported and answered.

import { z } from 'zod'
import { setting } from './setting.ts'
import { boolean, DAY, entriesOf, milliseconds, parsed, SECOND, string, urlOf } from './types.ts'

const ROOM = /^[!#]\S{1,254}$/
const USER = /^@[^\s:]+:\S+$/

const unsetWhenEmpty = (value: unknown): unknown => (value === '' ? undefined : value)

/** The message does not repeat a bad value: it may be a token in the wrong variable. */
const agentRoom = z.string().transform((entry, context): readonly [string, string] => {
  const at = entry.indexOf('=')
  const [agent, room] = [entry.slice(0, at).trim(), entry.slice(at + 1).trim()]
  if (at > 0 && ROOM.test(room)) return [agent, room]
  context.addIssue('has an entry that is not agent=room')
  return z.NEVER
})

export const matrix = {
  title: 'Matrix',
  settings: {
    MATRIX_HOMESERVER_URL: setting(urlOf('http', 'https'), {
      description: 'The homeserver. Set it together with `MATRIX_ACCESS_TOKEN`; without both, Matrix is off.',
      example: 'https://matrix.example.org',
      services: ['notifier'],
    }),
    MATRIX_ACCESS_TOKEN: setting(string(), {
      description: "Access token of the bot's user.",
      isSecret: true,
      services: ['notifier'],
    }),
    MATRIX_USER_ID: setting(
      parsed(z.preprocess(unsetWhenEmpty, z.string().regex(USER, 'is not @user:server').optional()), '`@user:server`'),
      {
        description: 'User that the token must belong to.',
        default: 'any',
        example: '@switchyard:example.org',
        services: ['notifier'],
      },
    ),
    MATRIX_ROOM_ID: setting(
      parsed(
        z.preprocess(unsetWhenEmpty, z.string().regex(ROOM, 'is neither a room id (!…) nor an alias (#…)').optional()),
        'a room id or an alias',
      ),
      {
        description: 'Room in which tasks are reported, each in a thread. It must not be encrypted.',
        example: '!abc:example.org',
        services: ['notifier'],
      },
    ),
    MATRIX_ROOMS: setting(parsed(z.preprocess(entriesOf, z.array(agentRoom)), '`agent=room`, separated by commas'), {
      description: 'Rooms of single agents.',
      example: 'builder=#builds:example.org',
      services: ['notifier'],
    }),
    MATRIX_ROOM_PER_TASK: setting(boolean(false), {
      description:
        "Create a room for each task and invite the task's `observers`, instead of a thread in `MATRIX_ROOM_ID`.",
      services: ['notifier'],
    }),
    MATRIX_ALLOWED_USERS: setting(
      parsed(
        z.preprocess(entriesOf, z.array(z.string().regex(USER, 'has an entry that is not @user:server'))),
        '`@user:server`, separated by commas',
      ),
      {
        description: 'Users who may steer tasks, answer requests and invite the bot.',
        default: 'nobody',
        example: '@ann:example.org',
        services: ['notifier'],
      },
    ),
    MATRIX_PROGRESS_INTERVAL_MS: setting(milliseconds(30 * SECOND, 0, DAY), {
      description: "Shortest time between edits of a task's progress message. 0: no progress message.",
      services: ['notifier'],
    }),
  },
} as const
