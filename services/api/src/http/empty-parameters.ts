// Removes empty parameters from a query: `?agent_id=` says the same as leaving `agent_id` out.

import type { MiddlewareHandler } from 'hono'
import type { ApiEnv } from '../access/access-control.ts'

const withoutEmpty = (url: string): string | undefined => {
  const parsed = new URL(url)
  const names = [...parsed.searchParams].filter(([, value]) => value === '').map(([name]) => name)
  if (names.length === 0) return undefined
  for (const name of names) parsed.searchParams.delete(name, '')
  return parsed.href
}

export const dropEmptyParameters: MiddlewareHandler<ApiEnv> = async ({ req }, next) => {
  const isRead = req.method === 'GET' || req.method === 'HEAD'
  const url = isRead && req.url.includes('?') ? withoutEmpty(req.url) : undefined
  if (url !== undefined)
    req.raw = new Request(url, { method: req.method, headers: req.raw.headers, signal: req.raw.signal })
  await next()
}
