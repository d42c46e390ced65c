// Checks once whether an OpenCode server answers.

import { SwitchyardError } from '@switchyard/contracts'
import { z } from 'zod'
import { isConnectionRefused, toUnavailable } from './connection-errors.ts'
import { authorization, type Endpoint } from './endpoint.ts'

const healthSchema = z.object({ healthy: z.literal(true), version: z.string() })

/**
 * Requests `/global/health` once.
 *
 * @throws SwitchyardError `opencode_unavailable`. `context.refused` is true when nothing listens on the port, so the server
 *   is down for certain; `context.timedOut` is true when it did not answer in time, which a busy server does for 3 to 6 s
 */
export const checkHealth = async (
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
    throw new SwitchyardError('opencode_unavailable', `${endpoint.url} rejected the password`, {
      hint: 'Set OPENCODE_SERVER_PASSWORD to the password that the OpenCode server was started with.',
      context: { refused: false, status: 401 },
    })
  }
  const health = healthSchema.safeParse(parseJson(body))
  if (!response.ok || !health.success) {
    throw new SwitchyardError(
      'opencode_unavailable',
      `${endpoint.url} is not a healthy OpenCode server: its health check returned status ${response.status}`,
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
