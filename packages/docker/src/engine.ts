// The connection to a Docker engine, and how its errors map to our error codes.

import { existsSync } from 'node:fs'
import { isSwitchyardError, SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import Docker from 'dockerode'

/** ms. A daemon that restarts leaves calls unanswered. Streams have no limit. */
const CALL_TIMEOUT_MS = 30_000

export type Engine = {
  readonly docker: Docker
  /** Returns false when the engine's socket does not exist. Makes no call. */
  readonly isAvailable: () => boolean
}

/** @param host - `unix:///path/to.sock`, `tcp://host:port` or `http://host:port` */
export const connectEngine = (host: string): Engine => {
  const url = new URL(host)
  if (url.protocol === 'unix:') {
    const socketPath = decodeURIComponent(url.pathname)
    return { docker: new Docker({ socketPath }), isAvailable: () => existsSync(socketPath) }
  }
  const port = Number(url.port || 2375)
  return { docker: new Docker({ protocol: 'http', host: url.hostname, port }), isAvailable: () => true }
}

/**
 * Creates a container and returns its id. `docker.createContainer(body)` would repeat the body, keys included, in the
 * request's URL; `_query` and `_body` keep them apart.
 */
export const createContainer = async (
  docker: Docker,
  name: string,
  body: Docker.ContainerCreateOptions,
): Promise<string> => {
  const separated: object = { _query: { name }, _body: body }
  return (await docker.createContainer(separated)).id
}

type EngineError = Error & { readonly statusCode?: number; readonly json?: { message?: string } }

const UNREACHABLE: ReadonlySet<string> = new Set([
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

const isEngineError = (error: unknown): error is EngineError => error instanceof Error

/** Returns the HTTP status of the engine's answer, or undefined when it did not answer. */
export const statusOf = (error: unknown): number | undefined => {
  const cause = isSwitchyardError(error) ? error.cause : error
  return isEngineError(cause) ? cause.statusCode : undefined
}

/** Returns the engine's own message, without the text that dockerode adds. */
export const messageOf = (error: unknown): string => {
  if (!isEngineError(error)) return String(error)
  return (error.json?.message ?? error.message).trim()
}

/** @param what - an infinitive, such as `start the container` */
export const fromEngine = (error: unknown, what: string): SwitchyardError => {
  if (isSwitchyardError(error)) return error
  const message = `could not ${what}: ${messageOf(error)}`
  const code = systemErrorCode(error)
  const status = isEngineError(error) ? error.statusCode : undefined
  // A daemon that shuts down answers 503 or closes the connection.
  const isUnreachable =
    (code !== undefined && UNREACHABLE.has(code)) || /socket hang up|aborted/.test(message) || status === 503
  if (isUnreachable) return new SwitchyardError('docker_unavailable', message, { cause: error })
  if (/no space left on device/i.test(message)) return new SwitchyardError('disk_full', message, { cause: error })
  if (status === 403)
    return new SwitchyardError('forbidden', message, {
      cause: error,
      hint: 'Create containers through the worker: the filter in front of the Docker socket accepts no others.',
    })
  return new SwitchyardError('container_failed', message, { cause: error })
}

/**
 * Makes one call to the engine, with a time limit of 30 s.
 *
 * @param what - an infinitive for the error message, such as `start the container`
 * @throws SwitchyardError `docker_unavailable`, `disk_full`, `forbidden`, `container_failed`, with the engine's error as
 *   its cause
 */
export const call = async <T>(what: string, make: () => Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(new SwitchyardError('docker_unavailable', `could not ${what}: no answer within ${CALL_TIMEOUT_MS} ms`)),
      CALL_TIMEOUT_MS,
    )
  })
  const answer = make()
  try {
    return await Promise.race([answer, timeout])
  } catch (error) {
    throw fromEngine(error, what)
  } finally {
    clearTimeout(timer)
    // A call that fails after the timeout must not become an unhandled rejection.
    answer.catch(() => {})
  }
}
