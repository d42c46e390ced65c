// The Prometheus metrics of the api: requests, tasks, event streams, the queue, the process.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Where gauges get their values at scrape time. If a source fails, its series are omitted. */
export type Sources = {
  countByStatus(): Promise<Readonly<Record<string, number>>>
  countUndelivered(): Promise<Readonly<Record<string, number>>>
  queueDepth(): Promise<{ readonly waiting: number; readonly active: number }>
}

export class Metrics {
  readonly registry: Registry
  readonly requests: Histogram<'method' | 'route' | 'status'>
  readonly accepted: Counter
  readonly decisions: Counter<'mode' | 'pool' | 'reason'>
  readonly sseReaders: Gauge
  readonly eventsSent: Counter
  readonly toolCalls: Counter<'tool' | 'outcome'>

  /** @param shared - a registry shared with other services; without one, process metrics are added to a new registry */
  constructor(sources: Sources, shared?: Registry) {
    const registry = shared ?? new Registry()
    if (!shared) collectDefaultMetrics({ register: registry })
    const registers = [registry]
    this.registry = registry
    this.requests = new Histogram({
      name: 'switchyard_http_request_duration_seconds',
      help: 'Time to the response headers, by route',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 3, 10, 60],
      registers,
    })
    this.accepted = new Counter({
      name: 'switchyard_tasks_accepted_total',
      help: 'Tasks accepted by this process; repeated calls with the same idempotency key count once',
      registers,
    })
    this.decisions = new Counter({
      name: 'switchyard_rollout_decisions_total',
      help: 'Tasks accepted by this process, by mode, pool and the reason for the decision',
      labelNames: ['mode', 'pool', 'reason'],
      registers,
    })
    this.sseReaders = new Gauge({ name: 'switchyard_sse_readers', help: 'Open event streams', registers })
    this.eventsSent = new Counter({
      name: 'switchyard_events_sent_total',
      help: 'Events written to event streams',
      registers,
    })
    this.toolCalls = new Counter({
      name: 'switchyard_mcp_tool_calls_total',
      help: 'MCP tool calls; outcome is ok or the error code',
      labelNames: ['tool', 'outcome'],
      registers,
    })
    new Gauge({
      name: 'switchyard_tasks',
      help: 'Tasks in the database, by status',
      labelNames: ['status'],
      registers,
      async collect() {
        this.reset()
        const counts = await sources.countByStatus().catch(() => ({}))
        for (const [status, count] of Object.entries(counts)) this.set({ status }, count)
      },
    })
    new Gauge({
      name: 'switchyard_deliveries',
      help: 'Undelivered notifications, by state: pending or dead',
      labelNames: ['state'],
      registers,
      async collect() {
        this.reset()
        const counts = await sources.countUndelivered().catch(() => ({}))
        for (const [state, count] of Object.entries(counts)) this.set({ state }, count)
      },
    })
    new Gauge({
      name: 'switchyard_queue_jobs',
      help: 'Jobs in the queue, by state',
      labelNames: ['state'],
      registers,
      async collect() {
        this.reset()
        const depth = await sources.queueDepth().catch(() => ({}))
        for (const [state, count] of Object.entries(depth)) this.set({ state }, count)
      },
    })
  }
}
