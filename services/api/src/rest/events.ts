// GET /tasks/{id}/events: pages of events, or a live stream.

import { createRoute, z } from '@hono/zod-openapi'
import { LIMITS } from '@switchyard/contracts'
import { requireCaller } from '../access/caller.ts'
import type { TaskService } from '../tasks/service.ts'
import { parseLastEventId, STREAM_HEADERS, wantsStream } from './event-stream.ts'
import { failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { EventPage, queryInteger, TaskParams } from './schemas.ts'

const DEFAULT_EVENTS_PAGE = 100
const MAX_SEQ = 2_147_483_647

const events = createRoute({
  method: 'get',
  path: '/tasks/{id}/events',
  operationId: 'getTaskEvents',
  tags: ['Events'],
  summary: 'Read or follow the events of a task',
  description:
    'Returns a JSON page of events. With `Accept: text/event-stream` it is a stream: `id:` is the `seq` of the event, `event:` its type, `data:` the event. Send `Last-Event-ID` to resume without a gap. Text that the model is writing arrives as `event: delta` without an id. A comment follows every 10 s; the stream closes after the last event of the task.',
  security: SECURITY,
  request: {
    params: TaskParams,
    headers: z.object({
      'last-event-id': z.string().optional().meta({ description: 'Streams only: the last `seq` you received' }),
    }),
    query: z.strictObject({
      after: queryInteger(0, MAX_SEQ)
        .optional()
        .meta({ description: 'Returns the events after this number; default 0' }),
      limit: queryInteger(1, LIMITS.eventsPage).optional().meta({ description: 'Pages only; default 100' }),
    }),
  },
  responses: {
    200: {
      description: 'A page of events, or the stream',
      content: {
        'application/json': { schema: EventPage },
        'text/event-stream': {
          schema: z.string(),
          example:
            'id: 3\nevent: task_progress\ndata: {"seq":3,"type":"task_progress","message":"bash: npm test → exit 1"}\n\n',
        },
      },
    },
    204: { description: 'Streams only: the task has ended, and you have its last event' },
    ...failures(404),
  },
})

export const eventRoutes = (service: TaskService): RestApp => {
  const app = newRestApp()
  app.openapi(events, async (c) => {
    const caller = requireCaller(c.get('caller'))
    const { id } = c.req.valid('param')
    const { after = 0, limit = DEFAULT_EVENTS_PAGE } = c.req.valid('query')
    if (!wantsStream(c.req.header('accept'))) return c.json(await service.events(caller, id, after, limit), 200)
    const from = parseLastEventId(c.req.header('last-event-id'), MAX_SEQ) ?? after
    const stream = await service.stream(caller, id, from, () => c.env?.outgoing?.destroy())
    // 204 is what makes an EventSource in a browser stop reconnecting.
    return stream === null ? c.body(null, 204) : c.body(stream, 200, STREAM_HEADERS)
  })
  return app
}
