// Watches a running container: it must print something, continue to print, and stay within its disk
// limit.

import { SwitchyardError } from '@switchyard/contracts'
import { diskUsage } from '@switchyard/docker'
import type { Interrupt } from '../interrupt.ts'

const CHECK_INTERVAL_MS = 500
/**
 * Time between two measurements of the disk, ms. A measurement takes longer the more files there
 * are.
 */
const DISK_INTERVAL_MS = 5_000

export type WatchdogOptions = {
  /** The directories whose sizes count together. */
  readonly directories: readonly string[]
  readonly diskBytes: number
  /**
   * Time without output after which a container that has printed nothing is stopped; any other is
   * stopped after twice that, ms.
   */
  readonly silentMs: number
  readonly interrupt: Interrupt
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1_048_576).toLocaleString('en')} MiB`

export class Watchdog {
  readonly #options: WatchdogOptions
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  #lastSignAt = Date.now()
  #hasSeenWork = false
  #measuredAt = Date.now()
  #isMeasuring = false

  constructor(options: WatchdogOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#check(), CHECK_INTERVAL_MS)
  }

  /**
   * Aborts with a SwitchyardError `container_silent` or `container_disk_full` when the container
   * must be stopped.
   */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The agent has written something or a tool has done something. */
  seen(): void {
    this.#lastSignAt = Date.now()
    this.#hasSeenWork = true
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #check(): void {
    this.#checkProgress()
    if (!this.#isMeasuring && Date.now() - this.#measuredAt >= DISK_INTERVAL_MS) void this.#measureDisk()
  }

  #checkProgress(): void {
    const { silentMs, interrupt } = this.#options
    const silent = Date.now() - this.#lastSignAt
    // As on a server, where the agent is nudged after half of this time. A container cannot be
    // prompted while it runs.
    if (this.#hasSeenWork && silent >= 2 * silentMs) interrupt.raise('stuck')
    else if (!this.#hasSeenWork && silent >= silentMs)
      this.#controller.abort(
        new SwitchyardError('container_silent', `the container printed nothing for ${Math.round(silentMs / 1_000)} s`),
      )
  }

  async #measureDisk(): Promise<void> {
    const { directories, diskBytes } = this.#options
    this.#isMeasuring = true
    const sizes = await Promise.all(directories.map(diskUsage))
    // A directory that could not be measured in time does not count; the others may exceed the
    // limit by themselves.
    const used = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
    this.#isMeasuring = false
    this.#measuredAt = Date.now()
    if (used <= diskBytes) return
    this.#controller.abort(
      new SwitchyardError(
        'container_disk_full',
        `the task uses ${mebibytes(used)} of disk space; the limit is ${mebibytes(diskBytes)}`,
      ),
    )
  }
}
