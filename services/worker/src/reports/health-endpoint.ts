// GET /health of a worker, for its container's health check: healthy while it reports, once it had
// something to run tasks on. A server that becomes unavailable later shows in the api's /ready,
// because a restart of the worker would not help.

import { serve } from '@hono/node-server'
import type { OpenCodeServer } from '@switchyard/opencode'
import { WORKER_SILENCE_MS } from '@switchyard/records'
import { Hono } from 'hono'
import type { Heartbeat } from './heartbeat.ts'

export type HealthServer = { readonly close: () => Promise<void> }

type ReportingWorker = {
  readonly id: string
  readonly running: () => number
  readonly wasReady: () => boolean
  readonly heartbeat: Pick<Heartbeat, 'lastReport'>
}

/** Listens on the loopback interface: only the container itself needs it. */
export const serveHealth = (port: number, worker: ReportingWorker, server: OpenCodeServer | null): HealthServer => {
  const app = new Hono()
  app.get('/health', (c) => {
    const isSilent = Date.now() - worker.heartbeat.lastReport() > WORKER_SILENCE_MS
    const status = isSilent ? 'down' : worker.wasReady() ? 'ok' : 'starting'
    return c.json(
      {
        status,
        worker_id: worker.id,
        running: worker.running(),
        opencode: server?.state().status ?? 'none',
      },
      status === 'ok' ? 200 : 503,
    )
  })
  const http = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' })
  return {
    close: () => new Promise((resolve) => http.close(() => resolve())),
  }
}
