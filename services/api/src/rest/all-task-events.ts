// GET /events: what happens in all tasks that the key may see.

import { createRoute, z } from '@hono/zod-openapi'
import { eventTypeSchema, LIMITS } from '@switchyard/contracts'
import { requireCaller } from '../access/caller.ts'
import type { Subscriptions } from '../all-task-events/service.ts'
import { eventNumber, STREAM_HEADERS, wantsStream } from './event-stream.ts'
import { failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { queryInteger, StandingPage } from './schemas.ts'

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
    'Of all tasks that the key may see, each task’s in order. JSON pages, from `after` on (0: the oldest that are kept); with `Accept: text/event-stream` a stream of server-sent events, from now on unless a cursor says otherwise. `id:` is the cursor: `Last-Event-ID` or `after` resumes without a gap. A comment every 10 s; the stream does not end by itself.',
  security: SECURITY,
  request: {
    headers: z.object({
      'last-event-id': z.string().optional().meta({ description: 'For the stream: the last id that was received' }),
    }),
    query: z.strictObject({
      after: queryInteger(0, MAX_CURSOR).optional().meta({ description: 'A cursor: events after it' }),
      limit: queryInteger(1, LIMITS.eventsPage).optional().meta({ description: 'For pages; default 100' }),
      type: types.optional().meta({ description: 'An event type, or several separated by commas' }),
      agent_id: z.string().max(200).optional(),
      project: z.string().max(2_000).optional().meta({ description: 'A project id, or a repository’s URL or path' }),
    }),
  },
  responses: {
    200: {
      description: 'A page of events, or the stream',
      content: {
        'application/json': { schema: StandingPage },
        'text/event-stream': {
          schema: z.string(),
          example: 'id: 1207\nevent: task_completed\ndata: {"seq":22,"task_id":"task_…","type":"task_completed"}\n\n',
        },
      },
    },
    ...failures(),
  },
})

export const subscriptionRoutes = (subscriptions: Subscriptions): RestApp => {
  const app = newRestApp()
  app.openapi(route, async (c) => {
    const caller = requireCaller(c.get('caller'))
    const { after, limit = DEFAULT_PAGE, type, ...rest } = c.req.valid('query')
    const query = { ...rest, types: type }
    if (!wantsStream(c.req.header('accept')))
      return c.json(await subscriptions.page(caller, query, after ?? 0, limit), 200)
    const from = eventNumber(c.req.header('last-event-id'), MAX_CURSOR) ?? after
    const stream = await subscriptions.stream(caller, query, from, () => c.env?.outgoing?.destroy())
    return c.body(stream, 200, STREAM_HEADERS)
  })
  return app
}
