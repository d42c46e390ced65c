// GET /events: the events of all tasks that the key may see.

import { createRoute, z } from '@hono/zod-openapi'
import { eventTypeSchema, LIMITS } from '@switchyard/contracts'
import { requireCaller } from '../access/caller.ts'
import type { AllTaskEvents } from '../all-task-events/service.ts'
import { parseLastEventId, STREAM_HEADERS, wantsStream } from './event-stream.ts'
import { failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { AllTaskEventsPage, queryInteger } from './schemas.ts'

const DEFAULT_PAGE = 100
const MAX_CURSOR = Number.MAX_SAFE_INTEGER

const types = z
  .string()
  .transform((text) => text.split(',').map((part) => part.trim()))
  .pipe(z.array(eventTypeSchema).min(1))

const route = createRoute({
  method: 'get',
  path: '/events',
  operationId: 'getEvents',
  tags: ['Events'],
  summary: 'Read or follow the events of all tasks',
  description:
    'Returns the events of all tasks that the key may see, in order for each task. The response is a JSON page of the events after `after` (0 starts at the oldest stored event). With `Accept: text/event-stream` it is a stream that starts with the next event, unless you send a cursor. `id:` is the cursor; send it as `Last-Event-ID` or `after` to resume without a gap. A comment follows every 10 s; the server does not close the stream.',
  security: SECURITY,
  request: {
    headers: z.object({
      'last-event-id': z.string().optional().meta({ description: 'Streams only: the last id you received' }),
    }),
    query: z.strictObject({
      after: queryInteger(0, MAX_CURSOR).optional().meta({ description: 'A cursor; returns the events after it' }),
      limit: queryInteger(1, LIMITS.eventsPage).optional().meta({ description: 'Pages only; default 100' }),
      type: types.optional().meta({ description: 'One event type, or several separated by commas' }),
      agent_id: z.string().max(200).optional(),
      project: z.string().max(2_000).optional().meta({ description: "A project id, or a repository's URL or path" }),
    }),
  },
  responses: {
    200: {
      description: 'A page of events, or the stream',
      content: {
        'application/json': { schema: AllTaskEventsPage },
        'text/event-stream': {
          schema: z.string(),
          example: 'id: 1207\nevent: task_completed\ndata: {"seq":22,"task_id":"task_…","type":"task_completed"}\n\n',
        },
      },
    },
    ...failures(),
  },
})

export const allTaskEventRoutes = (allTaskEvents: AllTaskEvents): RestApp => {
  const app = newRestApp()
  app.openapi(route, async (c) => {
    const caller = requireCaller(c.get('caller'))
    const { after, limit = DEFAULT_PAGE, type, ...rest } = c.req.valid('query')
    const query = { ...rest, types: type }
    if (!wantsStream(c.req.header('accept')))
      return c.json(await allTaskEvents.page(caller, query, after ?? 0, limit), 200)
    const from = parseLastEventId(c.req.header('last-event-id'), MAX_CURSOR) ?? after
    const stream = await allTaskEvents.stream(caller, query, from, () => c.env?.outgoing?.destroy())
    return c.body(stream, 200, STREAM_HEADERS)
  })
  return app
}
