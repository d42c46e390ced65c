// Tells a path that does not exist from one that does not take the method.

import { SwitchyardError } from '@switchyard/contracts'
import type { Hono } from 'hono'
import type { ApiEnv } from '../access/access-control.ts'

type Known = { readonly pattern: RegExp; readonly method: string }

const toPattern = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(/:[^/]+/g, '[^/]+').replaceAll('.', '\\.')}$`)

/**
 * @returns for a request that no route took, the failure that fits: `method_not_allowed` with what is allowed, or
 * `not_found`.
 */
export const unmatched = (app: Hono<ApiEnv>): ((method: string, path: string) => SwitchyardError) => {
  const known: readonly Known[] = app.routes
    // Middleware is registered for every method.
    .filter((route) => route.method !== 'ALL')
    .map((route) => ({ pattern: toPattern(route.path), method: route.method }))
  return (method, path) => {
    const allowed = [...new Set(known.filter((route) => route.pattern.test(path)).map((route) => route.method))]
    if (allowed.length === 0) return new SwitchyardError('not_found', `there is no ${path.slice(0, 200)}`)
    if (allowed.includes('GET')) allowed.push('HEAD')
    return new SwitchyardError('method_not_allowed', `${path.slice(0, 200)} does not take ${method}`, {
      context: { allow: allowed.sort().join(', ') },
    })
  }
}
