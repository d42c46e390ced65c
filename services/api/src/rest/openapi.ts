// GET /openapi.json, generated from the routes, and GET /docs, a page that renders it.

import { ERRORS } from '@switchyard/contracts'
import { DOCS_PAGE } from './docs-page.ts'
import type { RestApp } from './route.ts'

const DESCRIPTION = `Runs coding tasks on OpenCode. Start a task with \`POST /tasks\`, follow it with
\`GET /tasks/{id}/events\` (\`Accept: text/event-stream\`), and read its changes with \`GET /tasks/{id}/diff\`.
Errors are \`application/problem+json\` (RFC 9457) with a \`code\`, a \`retryable\` flag that says whether the same call
may succeed later, and a \`hint\` that says how to fix it. MCP clients connect to \`/mcp\`.`

const TAGS = [
  { name: 'Tasks', description: 'Start, list and read tasks' },
  { name: 'Events', description: 'The events of a task, numbered from 1 without gaps' },
  { name: 'Steering', description: 'Send messages, controls and replies to a running task' },
  { name: 'Workspace', description: 'The working directory of a task, during and after its run' },
  { name: 'Publishing', description: "Pushing a task's work to its repository, or downloading it" },
  { name: 'Projects', description: 'Registered repositories, with their sandboxes, agents and models' },
  { name: 'Sessions', description: 'Conversations with an agent in a project, independent of tasks' },
  { name: 'Notifications', description: 'Webhooks, and the deliveries to every destination' },
  { name: 'Operations', description: 'The state of this installation' },
]

/** Every error code with its status and hint, for the docs page. */
const errorTable = Object.entries(ERRORS).map(([code, kind]) => ({ code, ...kind }))

/** Adds the OpenAPI document of the app's routes, and its page. */
export const describeRoutes = (app: RestApp, version: string): void => {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'A token from SWITCHYARD_API_KEYS. An installation without keys requires none.',
  })
  let json: string | undefined
  app.get('/openapi.json', (c) => {
    json ??= JSON.stringify({
      ...app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: { title: 'Switchyard', version, description: DESCRIPTION, license: { name: 'MIT' } },
        servers: [{ url: '/' }],
        tags: TAGS,
      }),
      'x-error-codes': errorTable,
    })
    return c.body(json, 200, { 'Content-Type': 'application/json' })
  })
  app.get('/docs', (c) =>
    c.body(DOCS_PAGE, 200, {
      'Content-Type': 'text/html; charset=utf-8',
      // Allows nothing from other hosts; the page works offline.
      'Content-Security-Policy':
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
      'X-Content-Type-Options': 'nosniff',
    }),
  )
}
