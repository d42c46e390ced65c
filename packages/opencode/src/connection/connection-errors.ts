// What a failed connection means: which system errors mean that nobody listens, and the error we make of them.

import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'

const REFUSED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'])

/** The code of a system error, wherever `fetch` has hidden it: `TypeError: fetch failed` carries it as its cause. */
const connectionErrorCode = (error: unknown): string | undefined =>
  systemErrorCode(error) ?? (error instanceof Error ? connectionErrorCode(error.cause) : undefined)

/** True where the request certainly never reached a server, so that sending it again does nothing twice. */
export const isConnectionRefused = (error: unknown): boolean => REFUSED.has(connectionErrorCode(error) ?? '')

/** A network failure or a timeout as `opencode_unavailable`. */
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
