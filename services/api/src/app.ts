// The api put together: REST, MCP and event streams over one Hono app.

import { readFileSync } from 'node:fs'
import { type Config, type Logger, TOOLSETS } from '@switchyard/config'
import type { Bus, TaskQueue } from '@switchyard/queue'
import { countByStatus, countUndelivered, type Records } from '@switchyard/records'
import { TaskWorkspaces, WorkerCalls } from '@switchyard/worker-calls'
import type { Hono } from 'hono'
import type { Registry } from 'prom-client'
import type { ApiEnv } from './access/access-control.ts'
import { accessControl } from './access/access-control.ts'
import { requireCaller } from './access/caller.ts'
import { StandingFeed } from './all-task-events/feed.ts'
import { Subscriptions } from './all-task-events/service.ts'
import { unmatched } from './http/allowed-methods.ts'
import { asSwitchyardError, problemResponse } from './http/errors.ts'
import { requestLog } from './http/request-log.ts'
import { createMcpEndpoint } from './mcp/endpoint.ts'
import { HealthCheck } from './monitoring/health.ts'
import { Metrics } from './monitoring/metrics.ts'
import { WebhookService } from './notifications/webhooks.ts'
import { ProjectApi } from './project-api/service.ts'
import { Publishing } from './projects/publishing.ts'
import { ProjectService } from './projects/service.ts'
import { subscriptionRoutes } from './rest/all-task-events.ts'
import { deliveryRoutes } from './rest/deliveries.ts'
import { eventRoutes } from './rest/events.ts'
import { describeRoutes } from './rest/openapi.ts'
import { operationRoutes } from './rest/operations.ts'
import { projectLifeRoutes } from './rest/project-life.ts'
import { projectRoutes } from './rest/projects.ts'
import { publishingRoutes } from './rest/publishing.ts'
import { rolloutRoutes } from './rest/rollout.ts'
import { newRestApp } from './rest/route.ts'
import { sandboxRoutes } from './rest/sandboxes.ts'
import { serverPasswordRoutes } from './rest/server-password.ts'
import { serverRoutes } from './rest/servers.ts'
import { sessionRoutes } from './rest/sessions/index.ts'
import { steeringRoutes } from './rest/steering.ts'
import { taskRoutes } from './rest/tasks.ts'
import { webhookRoutes } from './rest/webhooks.ts'
import { workspaceRoutes } from './rest/workspace.ts'
import { Rollout } from './rollout/rollout.ts'
import { addRolloutMetrics } from './rollout/rollout-metrics.ts'
import { LlmService } from './servers/llm.ts'
import { ServerPasswords } from './servers/password.ts'
import { ServerService } from './servers/service.ts'
import { SessionFeeds } from './sessions/feeds.ts'
import { SessionService } from './sessions/service.ts'
import { TaskFeeds } from './task-events/task-feeds.ts'
import { Backlog } from './tasks/backlog.ts'
import { Catalog } from './tasks/catalog.ts'
import { TaskService } from './tasks/service.ts'

export type ApiDeps = {
  readonly config: Config
  readonly records: Records
  readonly queue: Pick<TaskQueue, 'add' | 'addAll' | 'depth' | 'ping'>
  readonly bus: Bus
  readonly logger: Logger
  /** A registry that others fill too; without one the api has its own, with the process's figures. */
  readonly metrics?: Registry
}

export type Api = {
  readonly app: Hono<ApiEnv>
  readonly startedAt: Date
  /** Ends every event stream and waiting call. What it was given to work with stays open. */
  close(): Promise<void>
}

const packageVersion = (): string => {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/**
 * @example
 * const api = createApi({ config, records, queue, bus, logger })
 * const { url, close } = await serve(api.app, config.api)
 */
export const createApi = (deps: ApiDeps): Api => {
  const { config, records, queue, bus, logger } = deps
  const startedAt = new Date()
  const version = packageVersion()
  const sources = {
    countByStatus: () => countByStatus(records.db),
    countUndelivered: () => countUndelivered(records.db),
    queueDepth: () => queue.depth(),
  }
  const metrics = new Metrics(sources, deps.metrics)
  const feeds = new TaskFeeds(records, bus, logger)
  const standing = new StandingFeed(records, logger)
  const catalog = new Catalog(records)
  const backlog = new Backlog(records, config.tasks.maxQueued)
  const settings = { ...config.rollout, serverEnabled: config.opencode.serverEnabled }
  const rollout = new Rollout({ settings, records, queue, bus, logger })
  addRolloutMetrics(metrics.registry, () => rollout.report())
  const calls = new WorkerCalls(records, bus)
  const workspaces = new TaskWorkspaces(records, calls)
  const service = new TaskService({
    config,
    records,
    queue,
    bus,
    logger,
    metrics,
    feeds,
    catalog,
    backlog,
    rollout,
    workspaces,
  })
  const health = new HealthCheck({ records, queue, bus, version, startedAt, logger })
  const projects = new ProjectService({ config, records, calls, tasks: service, logger })
  const publishing = new Publishing(records, calls)
  const sessionFeeds = new SessionFeeds(calls, bus)
  const sessionDeps = { config, records, calls, bus, metrics, logger }
  const sessions = new SessionService(sessionDeps, sessionFeeds)
  const servers = new ServerService({ config, records })
  const llm = new LlmService({ config, records })
  const { toolsets, hasLegacyTools } = config.mcp
  const mcp = createMcpEndpoint({
    service,
    projects,
    publishing,
    sessions,
    llm,
    health,
    standing,
    metrics,
    logger,
    version,
    toolsets,
    hasLegacyTools,
  })

  const app = newRestApp()
  app.use(requestLog(logger, metrics))
  app.use(accessControl(config.api))
  app.onError((error, context) => problemResponse(context, asSwitchyardError(error)))
  app.route('/', taskRoutes(service))
  app.route('/', eventRoutes(service))
  app.route('/', steeringRoutes(service))
  app.route('/', workspaceRoutes(service))
  app.route('/', sandboxRoutes(projects))
  app.route('/', projectLifeRoutes(projects))
  app.route('/', publishingRoutes(publishing))
  app.route('/', rolloutRoutes(rollout))
  app.route('/', subscriptionRoutes(new Subscriptions(standing, metrics, logger)))
  app.route('/', webhookRoutes(new WebhookService(records)))
  app.route('/', deliveryRoutes(records))
  app.route('/', projectRoutes(new ProjectApi(sessionDeps, projects)))
  app.route('/', sessionRoutes(sessions))
  app.route('/', serverRoutes(servers))
  app.route('/', serverPasswordRoutes(new ServerPasswords(records, calls)))
  app.route('/', operationRoutes(health, metrics))
  const mcpMethods = ['GET', 'POST', 'DELETE']
  app.on(mcpMethods, '/mcp', (context) => mcp.fetch(context.req.raw, requireCaller(context.get('caller'))))
  for (const set of TOOLSETS)
    app.on(mcpMethods, `/mcp/${set}`, (context) =>
      mcp.fetch(context.req.raw, requireCaller(context.get('caller')), set),
    )
  describeRoutes(app, version)
  const failureOf = unmatched(app)
  app.notFound((context) => problemResponse(context, failureOf(context.req.method, context.req.path)))

  return {
    app,
    startedAt,
    async close() {
      feeds.close()
      sessionFeeds.close()
      standing.close()
      await mcp.close()
      await rollout.close()
    },
  }
}
