// A session's events: pages are its messages; this is the stream.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller } from '../../access/caller.ts'
import type { SessionService } from '../../sessions/service.ts'
import { STREAM_HEADERS } from '../event-stream.ts'
import { failures, type RestApp, SECURITY } from '../route.ts'
import { SessionEvent } from './schemas.ts'
import { SESSION } from './sessions.ts'

const DESCRIPTION = `Server-sent events: \`event:\` is the type, \`data:\` a SessionEvent, and \`Last-Event-ID\` (or \`after\`) resumes behind the event
of that id, in whichever process; without it the stream begins with the session. A comment every 10 s. It ends only when the session is deleted, the project is no longer
yours to use, or the process stops.

| type | what |
| --- | --- |
| \`session_message\` | somebody said something to the session |
| \`session_progress\` | text, reasoning, tool calls (once when they run, once when they have ended), steps, retries, compactions; \`data.kind\` says which |
| \`session_artifact\` | files were changed or made |
| \`session_turn_ended\` | an answer is complete, failed, was aborted, or was cut off and does not go on: \`data.end\` (\`finished\`, \`failed\`, \`aborted\`, \`halted\`, \`interrupted\`), \`data.output\`, \`data.error\` |
| \`session_status\` | without an id: \`active\`, \`waiting\` or \`idle\`, when it changes and on every connection |
| \`session_input_required\` | without an id: an ask that waits for an answer, on every connection while it does |

Events of a subagent are in the stream of its own session (\`data.child_session_id\` of the tool call that started it).`

const query = z.strictObject({
  after: z.string().max(10_000).optional().meta({ description: 'The id of the last event that was received' }),
})
const headers = z.object({
  'last-event-id': z.string().optional().meta({ description: 'The same; it comes before `after`' }),
})

const routeOf = (prefix: '/project/{id}' | '') =>
  createRoute({
    method: 'get',
    path: `${prefix}/session/{sid}/event`,
    operationId: prefix === '' ? 'followSessionDefault' : 'followSession',
    tags: ['Sessions'],
    summary: prefix === '' ? 'Follow a session (of the default project)' : 'Follow a session',
    description: DESCRIPTION,
    security: SECURITY,
    request: { params: prefix === '' ? SESSION : SESSION.extend({ id: z.string() }), headers, query },
    responses: {
      200: {
        description: 'The stream',
        content: {
          'text/event-stream': {
            schema: SessionEvent,
            example:
              'id: msg_1fd07e0f5001b3gBGyp1pnVPAA.prt_1fd07e505001RXUirq1LAAqf5x\nevent: session_progress\ndata: {"type":"session_progress","message":"It is sound."}\n\n',
          },
        },
      },
      ...failures(404, 409),
    },
  })

export const addEventOperations = (app: RestApp, service: SessionService): void => {
  for (const prefix of ['/project/{id}', ''] as const) {
    app.openapi(routeOf(prefix), async (c) => {
      const on = { caller: requireCaller(c.get('caller')), project: c.req.param('id') }
      const after = c.req.header('last-event-id') || c.req.valid('query').after
      const cutOff = () => c.env?.outgoing?.destroy()
      return c.body(await service.stream(on, c.req.valid('param').sid, after, cutOff), 200, STREAM_HEADERS)
    })
  }
}
