// The event feed of one task: all its readers share one subscription and one database query.

import { isTerminal, type TaskId } from '@switchyard/contracts'
import type { TaskSignal } from '@switchyard/queue'
import { type Progress, type Records, readEvents } from '@switchyard/records'
import { type Frame, toDeltaBytes, toFrame } from './frame.ts'

/** A reader of the feed. It is notified and then pulls frames, so that a slow reader buffers nothing in the feed. */
export type TaskFollower = {
  /** Called when there may be more frames, or the task has ended. */
  onProgress(): void
  onDelta?(bytes: Uint8Array): void
  /** Called every 10 s to send a keep-alive. */
  onHeartbeat?(): void
  /** Called when the process shuts down. */
  onClose?(): void
}

const PAGE = 100
/** Limits of the newest frames kept in memory. Readers that are further behind query the database. */
const RECENT_FRAMES = 256
const RECENT_BYTES = 2 * 1_048_576

export class TaskFeed {
  readonly id: TaskId
  readonly followers = new Set<TaskFollower>()
  readonly #records: Records
  readonly #recent = new Map<number, Frame>()
  readonly #pages = new Map<number, Promise<readonly Frame[]>>()
  #recentBytes = 0
  #head = 0
  #ended = false

  constructor(records: Records, id: TaskId) {
    this.#records = records
    this.id = id
  }

  /** The highest event number known to be in the database. */
  get head(): number {
    return this.#head
  }

  /** Whether `head` is the last event. */
  get ended(): boolean {
    return this.#ended
  }

  /** Returns a frame that is still in memory. */
  recent(seq: number): Frame | undefined {
    return this.#recent.get(seq)
  }

  /** Returns frames after `after` from the database. Readers at the same position share one query. */
  page(after: number): Promise<readonly Frame[]> {
    const reading = this.#pages.get(after)
    if (reading) return reading
    const page = readEvents(this.#records.db, this.id, { after, limit: PAGE })
      .then((events) => events.map((event) => this.#recent.get(event.seq) ?? toFrame(event)))
      .finally(() => this.#pages.delete(after))
    this.#pages.set(after, page)
    return page
  }

  receive(signal: TaskSignal): void {
    if (signal.kind === 'delta') {
      const bytes = toDeltaBytes(signal.delta)
      for (const follower of this.followers) follower.onDelta?.(bytes)
      return
    }
    if (signal.kind === 'events') {
      for (const event of signal.events) {
        // A late or repeated signal.
        if (event.seq <= this.#head) continue
        const frame = toFrame(event)
        this.#remember(frame)
        this.#head = frame.seq
        this.#ended ||= frame.isLast
      }
    }
    this.#notify()
  }

  /** Applies the state from the database, which makes up for missed signals. */
  update(progress: Progress | undefined): void {
    // A deleted task gets no more events.
    this.#ended ||= progress === undefined || isTerminal(progress.status)
    this.#head = Math.max(this.#head, progress?.last_seq ?? 0)
    // Even without news, so that a follower whose read failed retries.
    this.#notify()
  }

  heartbeat(): void {
    for (const follower of this.followers) follower.onHeartbeat?.()
  }

  close(): void {
    for (const follower of this.followers) follower.onClose?.()
  }

  #notify(): void {
    for (const follower of this.followers) follower.onProgress()
  }

  #remember(frame: Frame): void {
    this.#recent.set(frame.seq, frame)
    this.#recentBytes += frame.bytes.byteLength
    for (const [seq, oldest] of this.#recent) {
      if (this.#recent.size <= RECENT_FRAMES && this.#recentBytes <= RECENT_BYTES) break
      this.#recent.delete(seq)
      this.#recentBytes -= oldest.bytes.byteLength
    }
  }
}
