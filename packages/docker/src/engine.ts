// The connection to a Docker engine, and what its refusals mean in our codes.

import { existsSync } from 'node:fs'
import { isSwitchyardError, SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import Docker from 'dockerode'

/** A call that is no stream and takes longer has failed, ms: a daemon that is restarted leaves calls unanswered. */
const CALL_MS = 30_000

export type Engine = {
  readonly docker: Docker
  /** False where the engine is known to be away without asking: its socket is not there. */
  readonly isAvailable: () => boolean
}

/** @param host - `unix:///path/to.sock`, `tcp://host:port` or `http://host:port`. */
export const connectEngine = (host: string): Engine => {
  const url = new URL(host)
  if (url.protocol === 'unix:') {
    const socketPath = decodeURIComponent(url.pathname)
    return { docker: new Docker({ socketPath }), isAvailable: () => existsSync(socketPath) }
  }
  const port = Number(url.port || 2375)
  return { docker: new Docker({ protocol: 'http', host: url.hostname, port }), isAvailable: () => true }
}

/** dockerode's own call would repeat the body, keys and all, in the request's URL. */
export const createContainer = async (
  docker: Docker,
  name: string,
  body: Docker.ContainerCreateOptions,
): Promise<string> => {
  const apart: object = { _query: { name }, _body: body }
  return (await docker.createContainer(apart)).id
}

type Refusal = Error & { readonly statusCode?: number; readonly json?: { message?: string } }

const AWAY: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'EACCES',
  'EPERM',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
])

const isRefusal = (error: unknown): error is Refusal => error instanceof Error

/** The HTTP status with which the engine refused a call; undefined where it did not answer. */
export const statusOf = (error: unknown): number | undefined => {
  const cause = isSwitchyardError(error) ? error.cause : error
  return isRefusal(cause) ? cause.statusCode : undefined
}

/** What the engine itself says, without the words around it. */
export const messageOf = (error: unknown): string => {
  if (!isRefusal(error)) return String(error)
  return (error.json?.message ?? error.message).trim()
}

export const fromEngine = (error: unknown, what: string): SwitchyardError => {
  if (isSwitchyardError(error)) return error
  const message = messageOf(error)
  const code = systemErrorCode(error)
  const status = isRefusal(error) ? error.statusCode : undefined
  // A daemon that is going down answers 5xx or hangs up in the middle.
  const isAway = (code !== undefined && AWAY.has(code)) || /socket hang up|aborted/.test(message) || status === 503
  if (isAway) return new SwitchyardError('docker_unavailable', `${what}: ${message}`, { cause: error })
  if (/no space left on device/i.test(message))
    return new SwitchyardError('disk_full', `${what}: ${message}`, { cause: error })
  if (status === 403)
    return new SwitchyardError('forbidden', `${what}: ${message}`, {
      cause: error,
      hint: 'The filter in front of the Docker socket admits only containers as the worker makes them.',
    })
  return new SwitchyardError('container_failed', `${what}: ${message}`, { cause: error })
}

/**
 * Makes one call that ends by itself.
 *
 * @throws SwitchyardError `docker_unavailable`, `disk_full`, `forbidden`, `container_failed`; the engine's own error is its cause.
 */
export const call = async <T>(what: string, make: () => Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SwitchyardError('docker_unavailable', `${what}: no answer within ${CALL_MS} ms`)),
      CALL_MS,
    )
  })
  const made = make()
  try {
    return await Promise.race([made, late])
  } catch (error) {
    throw fromEngine(error, what)
  } finally {
    clearTimeout(timer)
    made.catch(() => {})
  }
}
