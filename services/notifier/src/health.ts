// GET /health of a notifier, for its container's health check: alive, and looking for what is due.

import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import type { Notifier } from './notifier.ts'

/** A look takes milliseconds; the database or the queue is away if there was none for so long, ms. */
const SILENCE_MS = 10_000

export type HealthServer = { readonly close: () => Promise<void> }

/** Listens on loopback only: nobody outside the container has business here. */
export const serveHealth = (port: number, notifier: Notifier): HealthServer => {
  const app = new Hono()
  app.get('/health', (c) => {
    const isSilent = Date.now() - notifier.lastLook() > SILENCE_MS
    return c.json({ status: isSilent ? 'down' : 'ok' }, isSilent ? 503 : 200)
  })
  const http = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' })
  return {
    close: () => new Promise((resolve) => http.close(() => resolve())),
  }
}
