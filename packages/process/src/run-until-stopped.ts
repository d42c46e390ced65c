// Runs a program until a signal or a fatal error stops it, and exits with the code that says which.

import { describeError } from './describe-error.ts'

/** The parts of `process` that are used; tests pass their own. */
export type Host = {
  on(signal: NodeJS.Signals, listener: () => void): unknown
  exit(code: number): void
  readonly stderr: { write(text: string): unknown }
}

export type Lifetime = {
  /** Aborts when the program is to stop. */
  readonly signal: AbortSignal
  /** Stops the program because of an error: it is printed at the end, and the exit code is 1. */
  readonly fail: (error: unknown) => void
}

/** @returns whether everything has stopped; a value other than `false` counts as yes. */
type Stop = () => Promise<boolean>

export type Program = {
  readonly signals: readonly NodeJS.Signals[]
  /** Called with the first signal. The second one exits with code 1 immediately. */
  readonly onSignal?: (signal: NodeJS.Signals) => void
  /** Starts the program. If the signal aborts meanwhile, it may throw: nothing is printed then. */
  readonly start: (lifetime: Lifetime) => Promise<Stop>
  readonly host?: Host
}

type Ending = { readonly error?: unknown }

/** Starts the program, waits until something ends it, and stops it. @returns the exit code. @throws what ended it */
const runToEnd = async ({ start }: Program, lifetime: Lifetime, ending: Promise<Ending>): Promise<0 | 1> => {
  const stop = await start(lifetime).catch((error: unknown) => {
    if (!lifetime.signal.aborted) throw error
    return undefined
  })
  const { error } = await ending
  const isClean = (await stop?.()) ?? true
  if (error !== undefined) throw error
  return isClean ? 0 : 1
}

/**
 * Runs a program for as long as the process lives. Exit codes: 0 after a signal, 1 after an error, an incomplete stop
 * or a second signal.
 */
export const runUntilStopped = async (program: Program): Promise<void> => {
  const { signals, onSignal, host = process } = program
  const stopping = new AbortController()
  const ending = Promise.withResolvers<Ending>()
  const end = (how: Ending): void => {
    ending.resolve(how)
    stopping.abort()
  }
  for (const signal of signals)
    host.on(signal, () => {
      if (stopping.signal.aborted) return host.exit(1)
      onSignal?.(signal)
      end({})
    })
  try {
    const lifetime: Lifetime = { signal: stopping.signal, fail: (error) => end({ error }) }
    host.exit(await runToEnd(program, lifetime, ending.promise))
  } catch (error) {
    host.stderr.write(describeError(error))
    host.exit(1)
  }
}
