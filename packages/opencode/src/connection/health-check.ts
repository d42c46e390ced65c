// One health check: does this server answer, and is it OpenCode?

import { SwitchyardError } from '@switchyard/contracts'
import { z } from 'zod'
import type { Endpoint } from '../server/launcher.ts'
import { isConnectionRefused, toUnavailable } from './connection-errors.ts'

const healthSchema = z.object({ healthy: z.literal(true), version: z.string() })

/** The Authorization header of a server: basic auth with OpenCode's default user. */
export const authorization = (endpoint: Endpoint): string =>
  `Basic ${Buffer.from(`opencode:${endpoint.password}`).toString('base64')}`

/**
 * Asks `/global/health` once.
 *
 * @throws SwitchyardError `opencode_unavailable`; `context.refused` is true where nobody listens, which is certain, and
 * false where there was no answer in time, which is not: a busy server stalls for 3 to 6 s.
 */
export const probe = async (
  endpoint: Endpoint,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<{ readonly version: string }> => {
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout
  let response: Response
  let body: string
  try {
    response = await fetch(`${endpoint.url}/global/health`, {
      headers: { authorization: authorization(endpoint) },
      signal,
    })
    body = await response.text()
  } catch (cause) {
    throw toUnavailable(cause, endpoint.url, { refused: isConnectionRefused(cause), timedOut: timeout.aborted })
  }
  if (response.status === 401) {
    throw new SwitchyardError('opencode_unavailable', `${endpoint.url} does not accept the password`, {
      hint: 'Set OPENCODE_SERVER_PASSWORD to the password that the OpenCode server was started with.',
      context: { refused: false, status: 401 },
    })
  }
  const health = healthSchema.safeParse(parseJson(body))
  if (!response.ok || !health.success) {
    throw new SwitchyardError(
      'opencode_unavailable',
      `${endpoint.url} answered its health check with status ${response.status}, but not as an OpenCode server does`,
      { context: { refused: false, status: response.status } },
    )
  }
  return { version: health.data.version }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
