// The MCP endpoint: stateless, so that a restart loses no client, and for both eras of the protocol.

import {
  type AuthInfo,
  type CallToolResult,
  createMcpHandler,
  isLegacyRequest,
  type McpHttpHandler,
  type McpRequestContext,
  ProtocolError,
  ProtocolErrorCode,
  Server,
} from '@modelcontextprotocol/server'
import type { Logger, Toolset } from '@switchyard/config'
import { LIMITS } from '@switchyard/contracts'
import { type Caller, LOCAL } from '../access/caller.ts'
import type { StandingFeed } from '../all-task-events/feed.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import { callTool } from './calls.ts'
import { answerLegacy } from './legacy.ts'
import { listTasks, readTask, TEMPLATES } from './task-resources.ts'
import { TaskUpdates } from './task-updates.ts'
import { type Toolbox, type ToolsetDeps, toolboxes } from './toolsets.ts'

const INSTRUCTIONS = `Switchyard runs coding tasks on OpenCode. Start one with execute_task; it returns a task_id at once.
Follow it with get_task_status (wait_ms holds the answer until it ends or asks). When a task is input_required, answer its
requests with reply_task_request. The resource switchyard://tasks/{task_id} is the record, to subscribe to. get_task_diff and get_task_files show what it did; send_task_message steers it while it runs.
For work on a repository that goes beyond one task: opencode_project_start registers it, opencode_project_list shows what there is.
Every failure has a code, a hint, and says whether the same call may succeed later.`

export type EndpointDeps = ToolsetDeps & {
  readonly standing: StandingFeed
  readonly metrics: Metrics
  readonly logger: Logger
  readonly version: string
  /** What a client sees that asks for no set. */
  readonly toolsets: readonly Toolset[]
}

/** The caller was found before the endpoint was reached; it travels in the place that MCP has for that. */
const toAuthInfo = (caller: Caller): AuthInfo => ({
  token: '',
  clientId: caller.name,
  scopes: [caller.role],
  extra: { caller },
})

const callerOf = (context: McpRequestContext): Caller => {
  const caller = context.authInfo?.extra?.caller
  // Never without: the route sets it. An agent that made no task sees none.
  return (caller as Caller | undefined) ?? { name: LOCAL, role: 'agent', agentId: undefined }
}

export type McpEndpoint = {
  /** @param set - the one that the path names; none: those that the installation chose. */
  fetch(request: Request, caller: Caller, set?: Toolset): Promise<Response>
  close(): Promise<void>
}

export const createMcpEndpoint = (deps: EndpointDeps): McpEndpoint => {
  const updates = new TaskUpdates(deps.standing, deps.logger)

  // The low-level server: schemas are made once and not for every request, and a wrong argument is told in our form.
  const createServer = (context: McpRequestContext, tools: Toolbox): Server => {
    const caller = callerOf(context)
    const server = new Server(
      { name: 'switchyard', title: 'Switchyard', version: deps.version },
      {
        // Clients of the older era could be told of updates only through a session, which there is none of.
        capabilities: { tools: {}, resources: context.era === 'modern' ? { subscribe: true } : {} },
        instructions: INSTRUCTIONS,
      },
    )
    server.setRequestHandler('tools/list', () => ({ tools: [...tools.listed] }))
    server.setRequestHandler('tools/call', async (request, { mcpReq }): Promise<CallToolResult> => {
      const tool = tools.byName.get(request.params.name)
      if (!tool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${request.params.name}`)
      return await callTool(deps, tool, request.params.arguments, caller, mcpReq.signal)
    })
    server.setRequestHandler('resources/list', (request) => listTasks(deps.service, caller, request.params?.cursor))
    server.setRequestHandler('resources/templates/list', () => TEMPLATES)
    server.setRequestHandler('resources/read', (request, { mcpReq }) =>
      readTask(deps.service, caller, request.params.uri, mcpReq.signal),
    )
    return server
  }

  const serveTools = (tools: Toolbox) => {
    const handler: McpHttpHandler = createMcpHandler((context) => createServer(context, tools), {
      bus: updates,
      maxRequestBodySize: LIMITS.bodyBytes,
      onerror: (error) => deps.logger.debug({ err: error.message }, 'an MCP request was refused'),
    })
    return { handler, tools }
  }

  const boxes = toolboxes(deps, deps.toolsets)
  const chosen = serveTools(boxes.chosen)
  const bySet = new Map([...boxes.bySet].map(([set, tools]) => [set, serveTools(tools)]))
  return {
    fetch: async (request, caller, set) => {
      const { handler, tools } = (set && bySet.get(set)) ?? chosen
      const authInfo = toAuthInfo(caller)
      const isLegacy =
        request.method === 'POST' &&
        (await isLegacyRequest(request, undefined, { maxRequestBodySize: LIMITS.bodyBytes }))
      return isLegacy
        ? await answerLegacy(request, createServer({ era: 'legacy', authInfo, requestInfo: request }, tools), authInfo)
        : await updates.onBehalfOf(caller, () => handler.fetch(request, { authInfo }))
    },
    close: async () => {
      for (const { handler } of [chosen, ...bySet.values()]) await handler.close()
    },
  }
}
