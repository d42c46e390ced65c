// Confirms that a new event stream forwards events: publishes a command and waits until it arrives on the stream.

import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { toSwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import type { OpenCodeEvent } from './event-stream.ts'

export type StreamConfirmation = {
  /** Call it with every event. Returns true for a confirmation command, which nothing else needs to handle. */
  readonly handle: (event: OpenCodeEvent) => boolean
  /** Call it for every new connection. Earlier confirmations no longer count. */
  readonly start: () => void
  readonly stop: () => void
  /**
   * Resolves with true when this connection forwards events, and with false when it ended before that was confirmed.
   * Publishes once per connection; further calls get the same result.
   */
  readonly confirm: (directory: string) => Promise<boolean>
}

const PREFIX = 'switchyard.echo.'

/** How long to wait for the command before publishing it again, ms (measured: it takes 5 ms). */
const ECHO_MS = 200

/**
 * OpenCode sends `server.connected` slightly before it subscribes the new stream to its bus: 5 % of the events caused by a
 * request right after it were not delivered, and 2 % of those 5 ms later. A state fetched in that gap could miss a change
 * permanently.
 *
 * @param publish - makes the server emit `tui.command.execute` with this command. A terminal in the same directory gets
 *   the event too, and ignores the unknown command
 */
export const createStreamConfirmation = (
  publish: (directory: string, command: string, signal: AbortSignal) => Promise<unknown>,
  logger: Logger,
): StreamConfirmation => {
  let connection = new AbortController()
  let token = ''
  let arrived = Promise.withResolvers<void>()
  let result: Promise<boolean> | undefined

  const publishUntilArrived = async (directory: string, signal: AbortSignal): Promise<boolean> => {
    const hasArrived = arrived.promise.then(() => true)
    while (!signal.aborted) {
      try {
        await publish(directory, token, signal)
      } catch (error) {
        if (signal.aborted) return false
        // The server does not have this route. The gap is short, so waiting is nearly as good.
        logger.debug({ error: toSwitchyardError(error).message }, 'cannot confirm the event stream; waiting instead')
        return pause(signal).then(() => !signal.aborted)
      }
      if (await Promise.race([hasArrived, pause(signal).then(() => false)])) return true
    }
    return false
  }

  return {
    handle: (event) => {
      if (event.type !== 'tui.command.execute' || !event.properties.command.startsWith(PREFIX)) return false
      // Another client of the same server may publish its own commands.
      if (event.properties.command === token) arrived.resolve()
      return true
    },
    start: () => {
      connection.abort()
      connection = new AbortController()
      token = `${PREFIX}${randomUUID()}`
      arrived = Promise.withResolvers<void>()
      result = undefined
    },
    stop: () => connection.abort(),
    confirm: (directory) => {
      result ??= publishUntilArrived(directory, connection.signal)
      return result
    },
  }
}

const pause = (signal: AbortSignal): Promise<void> => delay(ECHO_MS, undefined, { signal }).catch(() => undefined)
