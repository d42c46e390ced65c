// GET /openapi.json, made from the routes, and /docs, a page that shows it.

import { ERRORS } from '@switchyard/contracts'
import { DOCS_PAGE } from './docs-page.ts'
import type { RestApp } from './route.ts'

const DESCRIPTION = `Runs coding tasks on OpenCode. Accept a task with \`POST /tasks\`, follow it with
\`GET /tasks/{id}/events\` (\`Accept: text/event-stream\`), read what it changed with \`GET /tasks/{id}/diff\`.
Failures are \`application/problem+json\` (RFC 9457) with a \`code\`, whether the same call may succeed later
(\`retryable\`), and a \`hint\` that says what to do. MCP clients connect to \`/mcp\`.`

const TAGS = [
  { name: 'Tasks', description: 'Accept, list and read tasks' },
  { name: 'Events', description: 'What happens in a task, numbered from 1 without gaps' },
  { name: 'Steering', description: 'Messages, controls and answers to a running task' },
  { name: 'Workspace', description: 'The working directory of a task, live and after the end' },
  { name: 'Projects', description: 'Repositories that are registered, and what OpenCode offers in them' },
  { name: 'Sessions', description: 'Conversations with an agent in a project, beside its tasks' },
  { name: 'Notifications', description: 'Webhooks, and what was told to whom' },
  { name: 'Operations', description: 'The state of this installation' },
]

/** Every code with its status and hint, for the page that explains them. */
const errorTable = Object.entries(ERRORS).map(([code, kind]) => ({ code, ...kind }))

/** Adds the document and its page to `app`, whose routes it describes. */
export const describeRoutes = (app: RestApp, version: string): void => {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'A token of SWITCHYARD_API_KEYS. Where the installation has no keys, none is asked for.',
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
      // Nothing from elsewhere: the page works without a network.
      'Content-Security-Policy':
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
      'X-Content-Type-Options': 'nosniff',
    }),
  )
}
