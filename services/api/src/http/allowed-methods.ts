// Distinguishes an unknown path from an unsupported method.

import { SwitchyardError } from '@switchyard/contracts'
import type { Hono } from 'hono'
import type { ApiEnv } from '../access/access-control.ts'

type KnownRoute = { readonly pattern: RegExp; readonly method: string }

const toPattern = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(/:[^/]+/g, '[^/]+').replaceAll('.', '\\.')}$`)

/**
 * Returns a function that explains why no route matched: `method_not_allowed` with the allowed methods, or `not_found`.
 */
export const explainUnmatched = (app: Hono<ApiEnv>): ((method: string, path: string) => SwitchyardError) => {
  const known: readonly KnownRoute[] = app.routes
    // Middleware is registered for every method.
    .filter((route) => route.method !== 'ALL')
    .map((route) => ({ pattern: toPattern(route.path), method: route.method }))
  return (method, path) => {
    const allowed = [...new Set(known.filter((route) => route.pattern.test(path)).map((route) => route.method))]
    if (allowed.length === 0) return new SwitchyardError('not_found', `${path.slice(0, 200)} does not exist`)
    if (allowed.includes('GET')) allowed.push('HEAD')
    return new SwitchyardError('method_not_allowed', `${path.slice(0, 200)} does not support ${method}`, {
      context: { allow: allowed.sort().join(', ') },
    })
  }
}
