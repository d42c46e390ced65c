// GET /health of a worker, for its container's health check: alive, reporting in, and once it had a server to work on.
// A server that goes away later is told by the api's /ready: another worker could do no better.

import { serve } from '@hono/node-server'
import type { OpenCodeServer } from '@switchyard/opencode'
import { WORKER_SILENCE_MS } from '@switchyard/records'
import { Hono } from 'hono'
import type { Worker } from '../worker.ts'

export type HealthServer = { readonly close: () => Promise<void> }

/** Listens on loopback only: nobody outside the container has business here. */
export const serveHealth = (port: number, worker: Worker, server: OpenCodeServer | null): HealthServer => {
  const app = new Hono()
  app.get('/health', (c) => {
    const silent = Date.now() - worker.heartbeat.lastReport() > WORKER_SILENCE_MS
    const status = silent ? 'down' : worker.wasReady() ? 'ok' : 'starting'
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
