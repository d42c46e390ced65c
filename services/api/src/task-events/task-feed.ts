// One task's feed: a single subscription and a single read of the record, however many read along.

import { isTerminal, type TaskId } from '@switchyard/contracts'
import type { TaskSignal } from '@switchyard/queue'
import { type Progress, type Records, readEvents } from '@switchyard/records'
import { type Frame, toDeltaBytes, toFrame } from '../sse/frame.ts'

/** Whoever follows a task: told that there is more, never given it, so that a slow one holds nothing. */
export type Follower = {
  /** There may be more frames, or the task has ended. */
  onProgress(): void
  onDelta?(bytes: Uint8Array): void
  /** Every 10 s: send a sign of life. */
  onHeartbeat?(): void
  /** The process stops. */
  onClose?(): void
}

const PAGE = 100
/** The newest frames, for readers that follow live; who is further behind reads the record. */
const RECENT_FRAMES = 256
const RECENT_BYTES = 2 * 1_048_576

export class TaskFeed {
  readonly id: TaskId
  readonly followers = new Set<Follower>()
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

  /** The highest number that is known to be in the record. */
  get head(): number {
    return this.#head
  }

  /** No event follows `head`. */
  get ended(): boolean {
    return this.#ended
  }

  /** A frame of the newest ones. */
  recent(seq: number): Frame | undefined {
    return this.#recent.get(seq)
  }

  /** Frames above `after` from the record; readers at the same place share one query. */
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
        // A signal that comes late, or twice.
        if (event.seq <= this.#head) continue
        const frame = toFrame(event)
        this.#keep(frame)
        this.#head = frame.seq
        this.#ended ||= frame.isLast
      }
    }
    this.#tell()
  }

  /** What the record says; heals a missed signal. */
  update(progress: Progress | undefined): void {
    // A task that was deleted has nothing more to tell.
    this.#ended ||= progress === undefined || isTerminal(progress.status)
    this.#head = Math.max(this.#head, progress?.last_seq ?? 0)
    // Also where nothing is new: a follower whose read failed tries again.
    this.#tell()
  }

  heartbeat(): void {
    for (const follower of this.followers) follower.onHeartbeat?.()
  }

  close(): void {
    for (const follower of this.followers) follower.onClose?.()
  }

  #tell(): void {
    for (const follower of this.followers) follower.onProgress()
  }

  #keep(frame: Frame): void {
    this.#recent.set(frame.seq, frame)
    this.#recentBytes += frame.bytes.byteLength
    for (const [seq, oldest] of this.#recent) {
      if (this.#recent.size <= RECENT_FRAMES && this.#recentBytes <= RECENT_BYTES) break
      this.#recent.delete(seq)
      this.#recentBytes -= oldest.bytes.byteLength
    }
  }
}
