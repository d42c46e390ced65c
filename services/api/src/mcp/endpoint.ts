// The MCP endpoint: stateless, so that clients survive a restart, and for both protocol eras.

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
import type { AllTaskEventsFeed } from '../all-task-events/feed.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import { callTool } from './calls.ts'
import { serveLegacyRequest } from './legacy.ts'
import { listTasks, readTask, templatesFor } from './task-resources.ts'
import { TaskUpdates } from './task-updates.ts'
import { createToolboxes, type Toolbox, type ToolsetDeps } from './toolsets.ts'

const SUBSCRIBE = 'Subscribe to the resource switchyard://tasks/{task_id} to be notified when the task changes.\n'

/** @param era - clients of the older protocol cannot subscribe */
const instructionsFor = (
  era: McpRequestContext['era'],
): string => `Switchyard runs coding tasks on OpenCode. Start a task with execute_task, which returns a task_id immediately.
Follow it with get_task_status; wait_ms waits until the task ends or needs input. When a task is input_required, reply to its
requests with reply_task_request. Read its changes with get_task_diff and get_task_files, and steer it with send_task_message
while it runs.
${era === 'modern' ? SUBSCRIBE : ''}For work on a repository that spans several tasks, register it with opencode_project_start; opencode_project_list lists projects.
Every error has a code, a hint, and a retryable flag that says whether the same call may succeed later.`

export type EndpointDeps = ToolsetDeps & {
  readonly allTaskEvents: AllTaskEventsFeed
  readonly metrics: Metrics
  readonly logger: Logger
  readonly version: string
  /** The sets that `/mcp` serves. */
  readonly toolsets: readonly Toolset[]
}

/** Passes the caller, identified before the request reached this endpoint, through the library. */
const toAuthInfo = (caller: Caller): AuthInfo => ({
  token: '',
  clientId: caller.name,
  scopes: [caller.role],
  extra: { caller },
})

const callerOf = (context: McpRequestContext): Caller => {
  const caller = context.authInfo?.extra?.caller
  // The route always sets it. The fallback is an agent without tasks, which sees nothing.
  return (caller as Caller | undefined) ?? { name: LOCAL, role: 'agent', agentId: undefined }
}

export type McpEndpoint = {
  /** @param set - the toolset in the path; undefined serves the configured ones */
  fetch(request: Request, caller: Caller, set?: Toolset): Promise<Response>
  close(): Promise<void>
}

export const createMcpEndpoint = (deps: EndpointDeps): McpEndpoint => {
  const updates = new TaskUpdates(deps.allTaskEvents, deps.logger)

  // The low-level server, because it lets us build schemas once instead of per request, and report invalid arguments in
  // our error format.
  const createServer = (context: McpRequestContext, tools: Toolbox): Server => {
    const caller = callerOf(context)
    const server = new Server(
      { name: 'switchyard', title: 'Switchyard', version: deps.version },
      {
        // In the older era, updates need a session, which a stateless endpoint does not have.
        capabilities: { tools: {}, resources: context.era === 'modern' ? { subscribe: true } : {} },
        instructions: instructionsFor(context.era),
      },
    )
    server.setRequestHandler('tools/list', () => ({ tools: [...tools.listed] }))
    server.setRequestHandler('tools/call', async (request, { mcpReq }): Promise<CallToolResult> => {
      const tool = tools.byName.get(request.params.name)
      if (!tool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${request.params.name}`)
      return await callTool(deps, tool, request.params.arguments, caller, mcpReq.signal)
    })
    server.setRequestHandler('resources/list', (request) => listTasks(deps.service, caller, request.params?.cursor))
    server.setRequestHandler('resources/templates/list', () => templatesFor(context.era))
    server.setRequestHandler('resources/read', (request, { mcpReq }) =>
      readTask(deps.service, caller, request.params.uri, mcpReq.signal),
    )
    return server
  }

  const serveTools = (tools: Toolbox) => {
    const handler: McpHttpHandler = createMcpHandler((context) => createServer(context, tools), {
      bus: updates,
      maxRequestBodySize: LIMITS.bodyBytes,
      onerror: (error) => deps.logger.debug({ err: error.message }, 'MCP request rejected'),
    })
    return { handler, tools }
  }

  const boxes = createToolboxes(deps, deps.toolsets)
  const configured = serveTools(boxes.configured)
  const bySet = new Map([...boxes.bySet].map(([set, tools]) => [set, serveTools(tools)]))
  return {
    fetch: async (request, caller, set) => {
      const { handler, tools } = (set && bySet.get(set)) ?? configured
      const authInfo = toAuthInfo(caller)
      const isLegacy =
        request.method === 'POST' &&
        (await isLegacyRequest(request, undefined, { maxRequestBodySize: LIMITS.bodyBytes }))
      return isLegacy
        ? await serveLegacyRequest(
            request,
            createServer({ era: 'legacy', authInfo, requestInfo: request }, tools),
            authInfo,
          )
        : await updates.onBehalfOf(caller, () => handler.fetch(request, { authInfo }))
    },
    close: async () => {
      for (const { handler } of [configured, ...bySet.values()]) await handler.close()
    },
  }
}
