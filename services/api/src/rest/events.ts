// GET /tasks/{id}/events: pages, or the live stream.

import { createRoute, z } from '@hono/zod-openapi'
import { LIMITS } from '@switchyard/contracts'
import { requireCaller } from '../access/caller.ts'
import type { TaskService } from '../tasks/service.ts'
import { eventNumber, STREAM_HEADERS, wantsStream } from './event-stream.ts'
import { failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { EventPage, queryInteger, TaskParams } from './schemas.ts'

const DEFAULT_EVENTS_PAGE = 100
const MAX_SEQ = 2_147_483_647

const events = createRoute({
  method: 'get',
  path: '/tasks/{id}/events',
  operationId: 'getTaskEvents',
  tags: ['Events'],
  summary: 'Read or follow a task’s events',
  description:
    'JSON pages; with `Accept: text/event-stream` a stream of server-sent events: `id:` is the event’s `seq`, `event:` its type, `data:` the event. `Last-Event-ID` resumes without a gap. Text as the model writes it comes as `event: delta` without an id. A comment every 10 s; the stream closes after the task’s last event.',
  security: SECURITY,
  request: {
    params: TaskParams,
    headers: z.object({
      'last-event-id': z.string().optional().meta({ description: 'For the stream: the last `seq` that was received' }),
    }),
    query: z.strictObject({
      after: queryInteger(0, MAX_SEQ).optional().meta({ description: 'Events above this number; default 0' }),
      limit: queryInteger(1, LIMITS.eventsPage).optional().meta({ description: 'For pages; default 100' }),
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
    const from = eventNumber(c.req.header('last-event-id'), MAX_SEQ) ?? after
    const stream = await service.stream(caller, id, from, () => c.env?.outgoing?.destroy())
    return c.body(stream, 200, STREAM_HEADERS)
  })
  return app
}
