// Turns network failures and timeouts into `opencode_unavailable`.

import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'

const REFUSED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Returns the code of the system error, following causes: `fetch` throws `TypeError: fetch failed` with the error as its cause. */
const connectionErrorCode = (error: unknown): string | undefined =>
  systemErrorCode(error) ?? (error instanceof Error ? connectionErrorCode(error.cause) : undefined)

/** Returns true when the request certainly never reached a server, so that repeating it is safe. */
export const isConnectionRefused = (error: unknown): boolean => REFUSED.has(connectionErrorCode(error) ?? '')

/** @param what - the start of the message: a URL, or what the call does */
export const toUnavailable = (
  cause: unknown,
  what: string,
  context: Readonly<Record<string, unknown>> = {},
): SwitchyardError => {
  const code = connectionErrorCode(cause)
  const isTimeout = cause instanceof Error && cause.name === 'TimeoutError'
  const reason = isTimeout ? 'no answer in time' : (code ?? (cause instanceof Error ? cause.message : String(cause)))
  return new SwitchyardError('opencode_unavailable', `${what}: ${reason}`, { cause, context })
}
