// Makes sure that a new event stream forwards what happens: calls into the server and waits for the echo.

import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { toSwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import type { OpenCodeEvent } from './event-stream.ts'

export type StreamEcho = {
  /** To be called with every event. @returns true for an echo, which nobody else needs to see. */
  readonly hear: (event: OpenCodeEvent) => boolean
  /** A new connection: what was confirmed before counts no more. */
  readonly begin: () => void
  readonly end: () => void
  /**
   * Resolves with true when this connection forwards events, with false when it ended before that was known.
   * One echo a connection; later calls have its answer.
   */
  readonly confirm: (directory: string) => Promise<boolean>
}

const PREFIX = 'switchyard.echo.'

/** Milliseconds for an echo (measured: 5) before the next call. */
const ECHO_MS = 200

/**
 * OpenCode greets a new stream with `server.connected` a little before it subscribes it to its bus: of events caused
 * by a request sent right after the greeting, 5 % were not delivered, and 2 % of those sent 5 ms later. A state that is
 * fetched in that gap could miss a change for good.
 *
 * @param publish - makes the server emit `tui.command.execute` with this command. A terminal that shows the same
 * directory gets it too, and knows no such command.
 */
export const createStreamEcho = (
  publish: (directory: string, command: string, signal: AbortSignal) => Promise<unknown>,
  logger: Logger,
): StreamEcho => {
  let connection = new AbortController()
  let token = ''
  let heard = Promise.withResolvers<void>()
  let answer: Promise<boolean> | undefined

  const callUntilHeard = async (directory: string, signal: AbortSignal): Promise<boolean> => {
    const isHeard = heard.promise.then(() => true)
    while (!signal.aborted) {
      try {
        await publish(directory, token, signal)
      } catch (error) {
        if (signal.aborted) return false
        // A server without this call: the gap is short, so waiting it out is nearly as good.
        logger.debug({ error: toSwitchyardError(error).message }, 'the event stream cannot be confirmed')
        return pause(signal).then(() => !signal.aborted)
      }
      if (await Promise.race([isHeard, pause(signal).then(() => false)])) return true
    }
    return false
  }

  return {
    hear: (event) => {
      if (event.type !== 'tui.command.execute' || !event.properties.command.startsWith(PREFIX)) return false
      // Another client of the same server may call too.
      if (event.properties.command === token) heard.resolve()
      return true
    },
    begin: () => {
      connection.abort()
      connection = new AbortController()
      token = `${PREFIX}${randomUUID()}`
      heard = Promise.withResolvers<void>()
      answer = undefined
    },
    end: () => connection.abort(),
    confirm: (directory) => {
      answer ??= callUntilHeard(directory, connection.signal)
      return answer
    },
  }
}

const pause = (signal: AbortSignal): Promise<void> => delay(ECHO_MS, undefined, { signal }).catch(() => undefined)
