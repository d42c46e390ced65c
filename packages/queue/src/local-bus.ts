// The wake-up bus within one process, for embedded mode.

import type { TaskId } from '@switchyard/contracts'
import type { Bus, Command, HintTopic, TaskSignal, Unsubscribe } from './bus.ts'
import { Listeners } from './listeners.ts'

const COMMANDS = 'commands'

export class LocalBus implements Bus {
  readonly #signals = new Listeners<TaskSignal>()
  readonly #commands = new Listeners<Command>()
  readonly #hints = new Listeners<void>()

  publishTask(id: TaskId, signal: TaskSignal): void {
    this.#signals.emit(id, signal)
  }

  async onTask(id: TaskId, listener: (signal: TaskSignal) => void): Promise<Unsubscribe> {
    return this.#signals.add(id, listener)
  }

  publishCommand(command: Command): void {
    this.#commands.emit(COMMANDS, command)
  }

  async onCommand(listener: (command: Command) => void): Promise<Unsubscribe> {
    return this.#commands.add(COMMANDS, listener)
  }

  publishHint(topic: HintTopic): void {
    this.#hints.emit(topic, undefined)
  }

  async onHint(topic: HintTopic, listener: () => void): Promise<Unsubscribe> {
    return this.#hints.add(topic, listener)
  }

  onResume(): Unsubscribe {
    return () => {}
  }

  async ping(): Promise<number> {
    return 0
  }

  async close(): Promise<void> {}
}
