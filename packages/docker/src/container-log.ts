// The engine's log of a container, read as it comes.

import type { Readable } from 'node:stream'
import { isSwitchyardError, SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import type Docker from 'dockerode'
import { call, statusOf } from './engine.ts'
import { lines, type OutputLine } from './output.ts'

export type LogOptions = {
  readonly follow: boolean
  /** Gets every byte of standard output; reading waits for it. */
  readonly keep: (data: Buffer) => Promise<void>
  readonly signal: AbortSignal
}

/** For a call that failed: a container that is not there has a code of its own. @throws always */
export const gone = (error: unknown): never => {
  if (statusOf(error) === 404)
    throw new SwitchyardError('container_gone', 'the container was removed', { cause: error })
  throw error
}

const BROKEN: ReadonlySet<string> = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE'])

const streamFailure = (error: unknown): unknown =>
  BROKEN.has(systemErrorCode(error) ?? '')
    ? new SwitchyardError('docker_unavailable', 'the container’s output broke off', { cause: error })
    : error

/** dockerode's own call reads a log that is not followed into memory, whole. */
const open = ({ modem }: Docker, id: string, follow: boolean): Promise<Readable> => {
  const options = {
    path: `/containers/${encodeURIComponent(id)}/logs?stdout=1&stderr=1&follow=${follow ? 1 : 0}`,
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

/** See `Runner.output`. Without an error the signal may have ended it, or an engine that went away in good order. */
export async function* readLog(docker: Docker, id: string, options: LogOptions): AsyncGenerator<OutputLine> {
  const { follow, keep, signal } = options
  const source = await call('reading the container', () => open(docker, id, follow)).catch(gone)
  const end = () => source.destroy()
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  try {
    yield* lines(source, keep)
  } catch (error) {
    if (signal.aborted) return
    throw isSwitchyardError(error) ? error : streamFailure(error)
  } finally {
    signal.removeEventListener('abort', end)
    source.destroy()
  }
}
