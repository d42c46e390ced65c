// Looks after a container while it runs: it must print something, go on printing, and keep within its disk.

import { SwitchyardError } from '@switchyard/contracts'
import { diskUsage } from '@switchyard/docker'
import type { Interrupt } from '../interrupt.ts'

const LOOK_MS = 500
/** Between two measurements of the disk, each of which takes as long as the files are many, ms. */
const DISK_MS = 5_000

export type WatchdogOptions = {
  /** Their sizes together are what the task keeps on disk. */
  readonly directories: readonly string[]
  readonly diskBytes: number
  /** Without any output for so long it counts as dead; once it has said something, after twice as long, ms. */
  readonly silentMs: number
  readonly interrupt: Interrupt
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1_048_576).toLocaleString('en')} MiB`

export class Watchdog {
  readonly #options: WatchdogOptions
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  #lastSign = Date.now()
  #hasSpoken = false
  #diskAt = Date.now()
  #measuring = false

  constructor(options: WatchdogOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  /** Fires, with a SwitchyardError `container_silent` or `container_disk_full`, when the container is to be stopped. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The agent has said or done something. */
  seen(): void {
    this.#lastSign = Date.now()
    this.#hasSpoken = true
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const { silentMs, interrupt } = this.#options
    const silent = Date.now() - this.#lastSign
    // As in server mode, where the agent is asked to go on after the first of the two spans.
    if (this.#hasSpoken && silent >= 2 * silentMs) interrupt.raise('stuck')
    else if (!this.#hasSpoken && silent >= silentMs)
      this.#controller.abort(
        new SwitchyardError(
          'container_silent',
          `the container has printed nothing for ${Math.round(silentMs / 1_000)} s`,
        ),
      )
    if (!this.#measuring && Date.now() - this.#diskAt >= DISK_MS) void this.#measure()
  }

  async #measure(): Promise<void> {
    const { directories, diskBytes } = this.#options
    this.#measuring = true
    const sizes = await Promise.all(directories.map(diskUsage))
    // What could not be measured in time is left out: the rest may be too much already.
    const used = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
    this.#measuring = false
    this.#diskAt = Date.now()
    if (used <= diskBytes) return
    this.#controller.abort(
      new SwitchyardError(
        'container_disk_full',
        `the task keeps ${mebibytes(used)} on disk, and ${mebibytes(diskBytes)} are allowed`,
      ),
    )
  }
}
