// Watches a session until its turn has ended: events become the record's events, the state is read again after every
// reconnect, asks and messages are passed on, and a turn whose server was lost is taken up again.

import { setTimeout as delay } from 'node:timers/promises'
import type { SessionStatus } from '@opencode-ai/sdk/v2'
import { isSwitchyardError, type NewEvent, SwitchyardError } from '@switchyard/contracts'
import {
  errorOf,
  narrateStatus,
  newMessageId,
  type OpenCodeFailure,
  type OpenCodeServer,
  type SessionMessage,
  type SessionRef,
  type SubscriptionMessage,
  summariseTurn,
  type TurnEnd,
  type TurnSummary,
} from '@switchyard/opencode'
import type { Bus } from '@switchyard/queue'
import { countDelivered } from '@switchyard/records'
import type { Logger } from 'pino'
import type { Ending } from '../end-task.ts'
import { type Interrupt, Interrupted } from '../interrupt.ts'
import { MAX_RECOVERIES } from '../recovery-limit.ts'
import type { RunRecord } from '../run-record.ts'
import { deliverMessages, type PromptOptions } from './deliver-messages.ts'
import { Mailbox } from './mailbox.ts'
import { promptOnce, untilBack } from './open-session.ts'
import type { Requests } from './session-requests.ts'
import { type Found, Transcript } from './transcript.ts'

type Signal =
  | SubscriptionMessage
  | { readonly kind: 'command' }
  /** The mailbox overflowed, or the server was away: read everything again. */
  | { readonly kind: 'stale' }

/**
 * Writes the end. With `messagesSent` it refuses, and returns false, where callers have sent more messages than these:
 * the turn goes on with them.
 */
type Finish = (ending: Ending, found: Found, messagesSent?: number) => Promise<boolean>

export type WatchDeps = {
  readonly record: RunRecord
  readonly server: OpenCodeServer
  readonly bus: Bus
  readonly requests: Requests
  readonly place: SessionRef
  readonly options: PromptOptions
  readonly interrupt: Interrupt
  /** Without any sign of work for so long the turn is nudged, and after as long again stopped, ms. */
  readonly stuckMs: number
  readonly finish: Finish
  readonly logger: Logger
}

/** Without any signal the state is looked at this often, ms: a signal may be lost. */
const TICK_MS = 5_000
/** Tells whether two looks at a session saw the same state. */
const fingerprint = (messages: readonly SessionMessage[]): string => {
  const last = messages.at(-1)
  return `${messages.length}:${last?.info.id ?? ''}:${last?.parts.length ?? 0}`
}

/** Two looks this far apart, ms, must agree before a turn counts as broken off. */
const SECOND_LOOK_MS = 1_500
const NUDGE = 'There was no progress for a while. Say what you wait for, and go on with the task.'
const DATABASE_AWAY_MS = 500
const MAILBOX = 5_000

const isBusy = (status: SessionStatus | undefined): boolean => status !== undefined && status.type !== 'idle'

export class Watch {
  readonly #deps: WatchDeps
  readonly #transcript: Transcript
  readonly #mailbox = new Mailbox<Signal>(MAILBOX, { kind: 'stale' })
  /** What the last look saw, and when: a turn that looks broken off must look so twice. */
  #brokenOff: { readonly seen: string; readonly at: number } | null = null
  #sessionError: OpenCodeFailure | null = null
  #lastSign = Date.now()
  #nudged = false

  constructor(deps: WatchDeps) {
    this.#deps = deps
    this.#transcript = new Transcript(deps.server, deps.place)
  }

  /** Something was written for this task: look at the record. */
  command(): void {
    this.#mailbox.put({ kind: 'command' })
  }

  /**
   * Resolves when the end is written.
   *
   * @param mayBePrompted - the prompt may have been sent by an earlier owner.
   * @throws Interrupted by the run's interrupt; SwitchyardError `stale_owner` where another has the task.
   */
  async untilEnd(mayBePrompted: boolean): Promise<void> {
    const { server, place, record, options, interrupt } = this.#deps
    // Subscribed before the prompt is sent: nothing of the turn is missed.
    const isNew = !mayBePrompted
    const subscription = server.subscribe(place.sessionId, place.directory, (signal) => this.#mailbox.put(signal), {
      isNew,
    })
    try {
      await this.#patiently(async () => {
        await subscription.established
        await promptOnce(record, server, place, options, mayBePrompted, interrupt.signal)
      })
      // What was said before there was a session.
      if (record.row.messages_sent > 0) this.command()
      let look = mayBePrompted
      for (;;) {
        const signals = await this.#mailbox.take(this.#brokenOff ? SECOND_LOOK_MS : TICK_MS, interrupt.signal)
        if (interrupt.reason) throw new Interrupted(interrupt.reason)
        const wasWaiting = this.#deps.record.row.status === 'input_required'
        const ended = await this.#patiently(() => this.#turn(signals, look || signals.length === 0))
        look = false
        if (ended) return
        const works = signals.some((signal) => signal.kind === 'event' && this.#isSignOfWork(signal.event))
        // One that waits for a person is not stuck.
        if (works || wasWaiting) this.#seen()
        else await this.#patiently(() => this.#whetherStuck())
      }
    } finally {
      subscription.close()
    }
  }

  /** What the agent writes or its tools do; not that a message of ours arrived. */
  #isSignOfWork(event: Extract<SubscriptionMessage, { kind: 'event' }>['event']): boolean {
    if (event.type === 'message.part.delta') return true
    return event.type === 'message.part.updated' && this.#transcript.isOfAgent(event.properties.part.messageID)
  }

  #seen(): void {
    this.#lastSign = Date.now()
    this.#nudged = false
  }

  /** A turn without any sign of work is asked to go on, once; then it is stopped. */
  async #whetherStuck(): Promise<void> {
    const { record, server, place, options, stuckMs, interrupt } = this.#deps
    if (Date.now() - this.#lastSign < stuckMs) return
    if (this.#nudged) return interrupt.raise('stuck')
    this.#lastSign = Date.now()
    this.#nudged = true
    const messageId = newMessageId()
    await record.append([
      {
        type: 'task_progress',
        message: `no sign of work for ${Math.round(stuckMs / 1000)} s: the agent is asked to go on`,
        source_key: `nudge:${messageId}`,
        data: { kind: 'nudge', silent_ms: stuckMs },
      },
    ])
    await server.client.promptAsync({ ...place, ...options, messageId, text: NUDGE }, { signal: interrupt.signal })
  }

  /** An OpenCode server or a database that is away is waited for; what was missed is read when it is back. */
  async #patiently<T>(call: () => Promise<T>): Promise<T> {
    const { server, interrupt, logger, record } = this.#deps
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (interrupt.reason) throw new Interrupted(interrupt.reason)
        const isAway =
          isSwitchyardError(error, 'opencode_unavailable') || isSwitchyardError(error, 'database_unavailable')
        if (!isAway) throw error
        logger.warn({ task_id: record.row.id, err: error.message }, 'waiting for what is away')
        this.#mailbox.put({ kind: 'stale' })
        if (error.code === 'database_unavailable')
          await delay(DATABASE_AWAY_MS, undefined, { signal: interrupt.signal })
        else await untilBack(server, interrupt.signal)
      }
    }
  }

  async #turn(signals: readonly Signal[], look: boolean): Promise<boolean> {
    const events: NewEvent[] = []
    let readAll = false
    let mayHaveEnded = look
    let asked = look
    let told = look
    for (const signal of signals) {
      if (signal.kind === 'command') told = true
      else if (signal.kind !== 'event') readAll = true
      else {
        const { event } = signal
        const news = this.#take(event)
        if (news === null) readAll = true
        else events.push(...news)
        if (event.type === 'session.idle' || event.type === 'session.error') mayHaveEnded = true
        if (event.type.startsWith('permission.') || event.type.startsWith('question.')) asked = true
      }
    }
    const { record, requests, server, place, options } = this.#deps
    await record.append(events)
    let found: Found | null = null
    if (readAll) {
      found = await this.#transcript.read(this.#deps.interrupt.signal)
      await record.append(this.#transcript.tellAll(found))
    }
    if (told || readAll) {
      const row = await record.refresh()
      if (row.cancel_requested_at) this.#deps.interrupt.raise('cancel')
      else if (row.pause_requested_at) this.#deps.interrupt.raise('pause')
      if (this.#deps.interrupt.reason) throw new Interrupted(this.#deps.interrupt.reason)
      await deliverMessages(record, server, place, options, this.#deps.interrupt.signal)
    }
    if (asked || told || readAll) await requests.settle(this.#transcript.sessionIds)
    return mayHaveEnded || readAll ? await this.#whetherEnded() : false
  }

  /** Takes one stream event; null where the state must be read again to understand it. */
  #take(event: Extract<SubscriptionMessage, { kind: 'event' }>['event']): readonly NewEvent[] | null {
    const { record, bus } = this.#deps
    switch (event.type) {
      case 'message.updated':
        this.#transcript.addMessage(event.properties.info)
        return []
      case 'message.part.updated':
        this.#brokenOff = null
        return this.#transcript.tell(event.properties.part)
      case 'message.part.delta': {
        const { sessionID, partID, field, delta } = event.properties
        bus.publishTask(record.row.id, {
          kind: 'delta',
          delta: { task_id: record.row.id, session_id: sessionID, part_id: partID, field, delta },
        })
        return []
      }
      case 'session.created':
      case 'session.updated':
        this.#transcript.addChild(event.properties.info.id, event.properties.info.title)
        return []
      case 'session.status':
        return narrateStatus(event.properties.sessionID, event.properties.status)
      case 'session.error':
        if (event.properties.sessionID && this.#transcript.isRoot(event.properties.sessionID))
          this.#sessionError = event.properties.error ?? null
        return []
      default:
        return []
    }
  }

  async #whetherEnded(): Promise<boolean> {
    const { server, place, record } = this.#deps
    const busy = await server.client.statuses(place.directory, { signal: this.#deps.interrupt.signal })
    // A subagent in the background speaks to its parent when it is done: the turn is over when all are idle.
    for (const id of this.#transcript.sessionIds) if (isBusy(busy[id])) return this.#goesOn()
    const found = await this.#transcript.read(this.#deps.interrupt.signal)
    await record.append(this.#transcript.tellAll(found))
    const summary = summariseTurn([found.root, ...found.children])
    if (summary.end === 'finished') return await this.#completed(found)
    const ending = this.#endingOf(summary)
    if (ending) return await this.#deps.finish(ending, found)
    return await this.#secondLook(found, summary.end)
  }

  #goesOn(): false {
    this.#brokenOff = null
    return false
  }

  async #completed(found: Found): Promise<boolean> {
    const { record, server, place, options } = this.#deps
    if ((await deliverMessages(record, server, place, options, this.#deps.interrupt.signal)) > 0) return this.#goesOn()
    const delivered = await countDelivered(record.db, record.row.id)
    return await this.#deps.finish({ status: 'completed', error: null }, found, delivered)
  }

  #endingOf(summary: TurnSummary): Ending | null {
    switch (summary.end) {
      case 'failed':
      case 'halted':
        return { status: 'failed', error: summary.error }
      case 'unanswered':
        // An unknown model is told in this event alone.
        return this.#sessionError ? { status: 'failed', error: errorOf(this.#sessionError) } : null
      default:
        return null
    }
  }

  /** A turn that is idle and not complete: looked at twice, then taken up again. */
  async #secondLook(found: Found, end: TurnEnd): Promise<false> {
    const seen = fingerprint(found.root)
    if (this.#brokenOff?.seen !== seen) {
      this.#brokenOff = { seen, at: Date.now() }
      return false
    }
    if (Date.now() - this.#brokenOff.at < SECOND_LOOK_MS) return false
    this.#brokenOff = null
    await this.#takeUp(end)
    return false
  }

  async #takeUp(end: TurnEnd): Promise<void> {
    const { record, server, place, options } = this.#deps
    const { recoveries } = record.row
    if (recoveries >= MAX_RECOVERIES)
      throw new SwitchyardError('attempts_exhausted', `the turn was interrupted ${recoveries} times`)
    const promptId = newMessageId()
    await record.write({
      set: { prompt_id: promptId, recoveries: recoveries + 1 },
      events: [
        {
          type: 'task_recovered',
          message: 'the turn was interrupted; it continues in the same session',
          source_key: `recovered:${promptId}`,
          data: { recovery: recoveries + 1, of: MAX_RECOVERIES, found: end },
        },
      ],
    })
    await promptOnce(record, server, place, options, false, this.#deps.interrupt.signal)
  }
}
