// A stand-in for `process`: signals are sent to it, and it records what is printed and the first exit code.

import type { Host } from './run-until-stopped.ts'

export class FakeHost implements Host {
  readonly exited = Promise.withResolvers<number>()
  readonly codes: number[] = []
  printed = ''
  readonly stderr = {
    write: (text: string): void => {
      this.printed += text
    },
  }
  readonly #listeners = new Map<string, () => void>()

  on(signal: NodeJS.Signals, listener: () => void): void {
    this.#listeners.set(signal, listener)
  }

  send(signal: NodeJS.Signals): void {
    this.#listeners.get(signal)?.()
  }

  exit(code: number): void {
    this.codes.push(code)
    this.exited.resolve(code)
  }
}
