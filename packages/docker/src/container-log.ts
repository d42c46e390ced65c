// Reads a container's log from the engine as a stream.

import type { Readable } from 'node:stream'
import { isSwitchyardError, SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import type Docker from 'dockerode'
import { lines, type OutputLine } from './container-output.ts'
import { call, statusOf } from './engine.ts'

export type LogOptions = {
  readonly follow: boolean
  /** Called with every byte of standard output. Reading waits until it resolves. */
  readonly store: (data: Buffer) => Promise<void>
  readonly signal: AbortSignal
}

/** Rethrows a failed call to a container, as `container_gone` when the container does not exist. */
export const rethrowAsGone = (error: unknown): never => {
  if (statusOf(error) === 404)
    throw new SwitchyardError('container_gone', 'the container was removed', { cause: error })
  throw error
}

const CONNECTION_LOST: ReadonlySet<string> = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE'])

const streamFailure = (error: unknown): unknown =>
  CONNECTION_LOST.has(systemErrorCode(error) ?? '')
    ? new SwitchyardError('docker_unavailable', "lost the connection to the container's output", { cause: error })
    : error

/** Opens the log as a stream. `container.logs()` would read the whole log into memory when it does not follow. */
const open = ({ modem }: Docker, id: string, follow: boolean): Promise<Readable> => {
  const options = {
    // The modem drops the last character of a path with a question mark, unless the query stands in `options`.
    path: `/containers/${encodeURIComponent(id)}/logs?`,
    options: { stdout: true, stderr: true, follow },
    method: 'GET',
    isStream: true,
    statusCodes: { 200: true, 404: 'no such container', 500: 'server error' },
  }
  return new Promise((resolve, reject) => {
    modem.dial(options, (error: unknown, stream: unknown) => {
      if (error) reject(error)
      else resolve(stream as Readable)
    })
  })
}

/** See `Runner.output`. Returns without an error also when the signal fires or the engine shuts down cleanly. */
export async function* readLog(docker: Docker, id: string, options: LogOptions): AsyncGenerator<OutputLine> {
  const { follow, store, signal } = options
  const source = await call("read the container's output", () => open(docker, id, follow)).catch(rethrowAsGone)
  const end = () => source.destroy()
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  try {
    yield* lines(source, store)
  } catch (error) {
    if (signal.aborted) return
    throw isSwitchyardError(error) ? error : streamFailure(error)
  } finally {
    signal.removeEventListener('abort', end)
    source.destroy()
  }
}
