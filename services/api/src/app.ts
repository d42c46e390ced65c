// Wires the api together: REST, MCP and event streams in one Hono app.

import { readFileSync } from 'node:fs'
import { type Config, type Logger, TOOLSETS } from '@switchyard/config'
import type { Bus, TaskQueue } from '@switchyard/queue'
import { countByStatus, countUndelivered, type Records } from '@switchyard/records'
import { TaskWorkspaces, WorkerCalls } from '@switchyard/worker-calls'
import type { Hono } from 'hono'
import type { Registry } from 'prom-client'
import { type ApiEnv, accessControl } from './access/access-control.ts'
import { requireCaller } from './access/caller.ts'
import { keysHaveServers } from './access/owner-server.ts'
import { AllTaskEventsFeed } from './all-task-events/feed.ts'
import { AllTaskEvents } from './all-task-events/service.ts'
import { explainUnmatched } from './http/allowed-methods.ts'
import { dropEmptyParameters } from './http/empty-parameters.ts'
import { asSwitchyardError, problemResponse } from './http/errors.ts'
import { requestLog } from './http/request-log.ts'
import { createMcpEndpoint } from './mcp/endpoint.ts'
import { HealthCheck } from './monitoring/health.ts'
import { Metrics } from './monitoring/metrics.ts'
import { WebhookService } from './notifications/webhooks.ts'
import { ProjectApi } from './project-api/service.ts'
import { Publishing } from './projects/publishing.ts'
import { ProjectService } from './projects/service.ts'
import { allTaskEventRoutes } from './rest/all-task-events.ts'
import { deliveryRoutes } from './rest/deliveries.ts'
import { eventRoutes } from './rest/events.ts'
import { describeRoutes } from './rest/openapi.ts'
import { operationRoutes } from './rest/operations.ts'
import { projectLifecycleRoutes } from './rest/project-lifecycle.ts'
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
import { ModelsService } from './servers/models-service.ts'
import { ServerPasswords } from './servers/server-passwords.ts'
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
  /** A registry shared with other services; without one, the api creates its own with process metrics. */
  readonly metrics?: Registry
}

export type Api = {
  readonly app: Hono<ApiEnv>
  readonly startedAt: Date
  /** Closes every event stream and waiting call. Does not close the dependencies that were passed in. */
  close(): Promise<void>
}

const packageVersion = (): string => {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/**
 * Creates the api. It starts to poll immediately; `close` stops that.
 *
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
  const allTaskEvents = new AllTaskEventsFeed(records, logger)
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
  const health = new HealthCheck({
    records,
    queue,
    bus,
    keysHaveServers: keysHaveServers(config),
    version,
    startedAt,
    logger,
  })
  const projects = new ProjectService({ config, records, calls, tasks: service, logger })
  const publishing = new Publishing(records, calls)
  const sessionFeeds = new SessionFeeds(calls, bus)
  const sessionDeps = { config, records, calls, bus, metrics, logger }
  const sessions = new SessionService(sessionDeps, sessionFeeds)
  const servers = new ServerService({ config, records })
  const llm = new ModelsService({ config, records })
  const { toolsets, hasLegacyTools } = config.mcp
  const mcp = createMcpEndpoint({
    service,
    projects,
    publishing,
    sessions,
    llm,
    health,
    allTaskEvents,
    metrics,
    logger,
    version,
    toolsets,
    hasLegacyTools,
  })

  const app = newRestApp()
  app.use(requestLog(logger, metrics))
  app.use(dropEmptyParameters)
  app.use(accessControl(config.api))
  app.onError((error, context) => problemResponse(context, asSwitchyardError(error)))
  app.route('/', taskRoutes(service))
  app.route('/', eventRoutes(service))
  app.route('/', steeringRoutes(service))
  app.route('/', workspaceRoutes(service))
  app.route('/', sandboxRoutes(projects))
  app.route('/', projectLifecycleRoutes(projects))
  app.route('/', publishingRoutes(publishing))
  app.route('/', rolloutRoutes(rollout))
  app.route('/', allTaskEventRoutes(new AllTaskEvents(allTaskEvents, metrics, logger)))
  app.route('/', webhookRoutes(new WebhookService(records)))
  app.route('/', deliveryRoutes(records))
  app.route('/', projectRoutes(new ProjectApi(sessionDeps, projects)))
  app.route('/', sessionRoutes(sessions))
  app.route('/', serverRoutes(servers))
  app.route('/', serverPasswordRoutes(new ServerPasswords(records, calls)))
  app.route('/', operationRoutes(health, metrics))
  const mcpMethods = ['GET', 'POST', 'DELETE']
  app.on(mcpMethods, ['/mcp', '/mcp/'], (context) => mcp.fetch(context.req.raw, requireCaller(context.get('caller'))))
  for (const set of TOOLSETS)
    app.on(mcpMethods, `/mcp/${set}`, (context) =>
      mcp.fetch(context.req.raw, requireCaller(context.get('caller')), set),
    )
  app.get('/', (context) => context.redirect('/docs'))
  describeRoutes(app, version)
  const failureOf = explainUnmatched(app)
  app.notFound((context) => problemResponse(context, failureOf(context.req.method, context.req.path)))

  return {
    app,
    startedAt,
    async close() {
      feeds.close()
      sessionFeeds.close()
      allTaskEvents.close()
      await mcp.close()
      await rollout.close()
    },
  }
}
