// GET /health for the container's health check: whether the notifier polls for due deliveries.

import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import type { Notifier } from './notifier.ts'

/** A poll takes milliseconds. Without one for this long, the database or the queue is unavailable, ms. */
const UNHEALTHY_MS = 10_000

export type HealthServer = { readonly close: () => Promise<void> }

/** Listens on loopback only: it serves the health check inside the container. */
export const serveHealth = (port: number, notifier: Notifier): HealthServer => {
  const app = new Hono()
  app.get('/health', (c) => {
    const isUnhealthy = Date.now() - notifier.lastPollAt() > UNHEALTHY_MS
    return c.json({ status: isUnhealthy ? 'down' : 'ok' }, isUnhealthy ? 503 : 200)
  })
  const http = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' })
  return {
    close: () => new Promise((resolve) => http.close(() => resolve())),
  }
}
