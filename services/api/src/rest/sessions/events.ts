// GET /session/{sid}/event: the stream of a session's events. Pages of the past are its messages.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller } from '../../access/caller.ts'
import type { SessionService } from '../../sessions/service.ts'
import { STREAM_HEADERS } from '../event-stream.ts'
import { failures, type RestApp, SECURITY } from '../route.ts'
import { SessionEvent } from './schemas.ts'
import { SESSION } from './sessions.ts'

const DESCRIPTION = `Returns a stream of server-sent events: \`event:\` is the type, \`data:\` a SessionEvent. Send \`Last-Event-ID\` (or \`after\`) to
resume after that event, on any process; without it the stream starts at the beginning of the session. A comment follows every 10 s. The stream closes only when
the session is deleted, you may no longer use the project, or the process stops.

| type | meaning |
| --- | --- |
| \`session_message\` | a message was sent to the session |
| \`session_progress\` | text, reasoning, tool calls (one event at the start, one at the end), steps, retries, compactions; \`data.kind\` says which |
| \`session_artifact\` | files were created or changed |
| \`session_turn_ended\` | a turn finished, failed, was aborted, or stopped permanently: \`data.end\` (\`finished\`, \`failed\`, \`aborted\`, \`halted\`, \`interrupted\`), \`data.output\`, \`data.error\` |
| \`session_status\` | no id; \`active\`, \`waiting\` or \`idle\`; sent on every change and every connection |
| \`session_input_required\` | no id; a pending request; sent again on every connection until it is answered |

A subagent has its own session and stream; \`data.child_session_id\` of the tool call that started it is its id.`

const query = z.strictObject({
  after: z.string().max(10_000).optional().meta({ description: 'The id of the last event you received' }),
})
const headers = z.object({
  'last-event-id': z.string().optional().meta({ description: 'Same as `after`, and takes precedence' }),
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
      const call = { caller: requireCaller(c.get('caller')), project: c.req.param('id') }
      const after = c.req.header('last-event-id') || c.req.valid('query').after
      const disconnect = () => c.env?.outgoing?.destroy()
      return c.body(await service.stream(call, c.req.valid('param').sid, after, disconnect), 200, STREAM_HEADERS)
    })
  }
}
