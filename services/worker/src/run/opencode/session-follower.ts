// Follows a session until its turn has ended. Stream events become events of the record; after
// every reconnect the state is read again; requests and messages are passed on; a turn whose server
// was lost is resumed.

import { setTimeout as delay } from 'node:timers/promises'
import type { SessionStatus } from '@opencode-ai/sdk/v2'
import { isSwitchyardError } from '@switchyard/contracts'
import {
  newMessageId,
  type OpenCodeFailure,
  type SessionSubscription,
  summariseTurn,
  type TurnEnd,
} from '@switchyard/opencode'
import type { Bus } from '@switchyard/queue'
import { countDelivered } from '@switchyard/records'
import type { Logger } from 'pino'
import { raiseRequested } from '../execution.ts'
import type { Interrupt } from '../interrupt.ts'
import { NUDGE } from '../prompt-texts.ts'
import type { Findings, Verdict } from '../verdict.ts'
import { deliverMessages } from './deliver-messages.ts'
import { CONFIRM_AFTER_MS, InterruptionCheck } from './interruption-check.ts'
import { judgeTurn } from './judge-turn.ts'
import { Mailbox } from './mailbox.ts'
import { ProgressMonitor } from './progress-monitor.ts'
import { resumeTurn, sendOnce, sendRecordedPrompt } from './send-prompt.ts'
import type { SessionRequests } from './session-requests.ts'
import { type Batch, readSignals, type Signal } from './signals.ts'
import type { TaskSession } from './task-session.ts'
import { Transcript } from './transcript.ts'
import { untilServerReady } from './until-server-ready.ts'

export type SessionFollowerOptions = {
  readonly session: TaskSession
  readonly requests: SessionRequests
  readonly interrupt: Interrupt
  /** Time without a sign of work until the turn is nudged, and again until it is stopped, ms. */
  readonly stuckMs: number
  /** How often the state is read if there is no signal, ms; default 5 000. Signals can be lost. */
  readonly readIntervalMs?: number
  /** The clock by which the lack of progress is measured, ms; default `Date.now`. */
  readonly now?: () => number
  readonly bus: Pick<Bus, 'publishTask'>
  readonly logger: Logger
}

const READ_INTERVAL_MS = 5_000
const DATABASE_RETRY_MS = 500
const MAILBOX_CAPACITY = 5_000

type Judgement = { readonly verdict: Verdict | null; readonly mustRunAlone: boolean }

const CONTINUES: Judgement = { verdict: null, mustRunAlone: false }

const isBusy = (status: SessionStatus | undefined): boolean => status !== undefined && status.type !== 'idle'

export class SessionFollower {
  readonly #options: SessionFollowerOptions
  readonly #transcript: Transcript
  readonly #mailbox = new Mailbox<Signal>(MAILBOX_CAPACITY, { kind: 'missed_events' })
  readonly #interruption = new InterruptionCheck()
  readonly #progress: ProgressMonitor
  #subscription: SessionSubscription | null = null
  #sessionError: OpenCodeFailure | null = null
  /** The turn may have ended before this run subscribed to the session. */
  #mayHaveEnded = false
  /** `losses` of the server when the turn began or was resumed. */
  #lossesBefore: number

  constructor(options: SessionFollowerOptions) {
    const { session, stuckMs, now } = options
    this.#options = options
    this.#transcript = new Transcript(session.server, session.ref)
    this.#progress = new ProgressMonitor(stuckMs, now)
    this.#lossesBefore = session.server.state().losses
  }

  /** Has the record read again. */
  command(): void {
    this.#mailbox.put({ kind: 'command' })
  }

  /**
   * Subscribes to the session and then sends the recorded prompt, so that no event of the turn is
   * missed.
   *
   * @param mayBePrompted - an earlier owner may have sent the prompt.
   * @throws Interrupted by the run's interrupt; SwitchyardError
   */
  async start(mayBePrompted: boolean): Promise<void> {
    const { session } = this.#options
    const { server, ref, record } = session
    const subscription = server.subscribe(ref.sessionId, ref.directory, (signal) => this.#mailbox.put(signal), {
      isNew: !mayBePrompted,
    })
    this.#subscription = subscription
    await this.#retry(() => subscription.established)
    await this.#send((mayBeSent) => sendRecordedPrompt(session, mayBeSent), mayBePrompted)
    // Messages that callers wrote before there was a session.
    if (record.row.messages_sent > 0) this.command()
    this.#mayHaveEnded = mayBePrompted
  }

  /**
   * Resolves when the turn has ended. Called again, it delivers the messages that have arrived
   * since and continues.
   *
   * @returns null if the turn was interrupted and the task has to run alone before it continues.
   * @throws Interrupted by the run's interrupt; SwitchyardError, such as `stale_owner` if another
   *   worker owns the task.
   */
  async untilVerdict(): Promise<Verdict | null> {
    const { interrupt, session, readIntervalMs = READ_INTERVAL_MS } = this.#options
    for (;;) {
      const waitMs = this.#interruption.isPending ? CONFIRM_AFTER_MS : readIntervalMs
      const signals = await this.#mailbox.take(waitMs, interrupt.signal)
      interrupt.check()
      const wasWaitingForPerson = session.record.row.status === 'input_required'
      const isCheckDue = this.#mayHaveEnded || signals.length === 0
      const { verdict, mustRunAlone, batch } = await this.#retry(() => this.#process(signals, isCheckDue))
      this.#mayHaveEnded = false
      if (mustRunAlone) return null
      if (verdict) {
        // Read by the next call: the end is refused if callers have sent more messages.
        this.command()
        return verdict
      }
      if (wasWaitingForPerson || this.#showsWork(batch)) this.#progress.seen()
      else await this.#checkProgress()
    }
  }

  close(): void {
    this.#subscription?.close()
  }

  /**
   * Whether the agent has written something or its tools have done something. A caller's message is
   * no sign of work.
   */
  #showsWork({ deltas, changedMessages }: Batch): boolean {
    return deltas.length > 0 || changedMessages.some((id) => this.#transcript.isOfAgent(id))
  }

  async #checkProgress(): Promise<void> {
    const progress = this.#progress.check()
    if (progress === 'stuck') this.#options.interrupt.raise('stuck')
    if (progress === 'nudge') await this.#nudge()
  }

  async #nudge(): Promise<void> {
    const { session, stuckMs } = this.#options
    const messageId = newMessageId()
    await session.record.append([
      {
        type: 'task_progress',
        message: `no sign of work for ${Math.round(stuckMs / 1000)} s; the agent was asked to continue`,
        source_key: `nudge:${messageId}`,
        data: { kind: 'nudge', silent_ms: stuckMs },
      },
    ])
    await this.#send((mayBeSent) => sendOnce(session, { messageId, text: NUDGE }, mayBeSent), false)
  }

  /**
   * Sends a prompt. A retry searches for its message first: the attempt before it may have arrived
   * without a response.
   */
  async #send(send: (mayBeSent: boolean) => Promise<void>, mayBeSent: boolean): Promise<void> {
    let isRetry = false
    await this.#retry(async () => {
      const mayHaveArrived = mayBeSent || isRetry
      isRetry = true
      await send(mayHaveArrived)
    })
  }

  /**
   * Retries a call while OpenCode or the database is unavailable, and has the state read
   * afterwards.
   */
  async #retry<T>(call: () => Promise<T>): Promise<T> {
    const { session, interrupt, logger } = this.#options
    for (;;) {
      try {
        return await call()
      } catch (error) {
        interrupt.check()
        const isDatabase = isSwitchyardError(error, 'database_unavailable')
        if (!isDatabase && !isSwitchyardError(error, 'opencode_unavailable')) throw error
        logger.warn(
          { task_id: session.record.row.id, err: error.message },
          'OpenCode or database unavailable; retrying',
        )
        this.#mailbox.put({ kind: 'missed_events' })
        if (isDatabase) await delay(DATABASE_RETRY_MS, undefined, { signal: interrupt.signal })
        else await untilServerReady(session.server, interrupt.signal)
      }
    }
  }

  async #process(signals: readonly Signal[], isCheckDue: boolean): Promise<Judgement & { readonly batch: Batch }> {
    const { session, requests } = this.#options
    const batch = readSignals(signals, this.#transcript, isCheckDue)
    if (batch.changedMessages.length > 0) this.#interruption.reset()
    if (batch.sessionError !== undefined) this.#sessionError = batch.sessionError
    this.#publishDeltas(batch)
    await session.record.append(batch.events)
    if (batch.mustRead) await this.#readAll()
    if (batch.mustRefresh) await this.#refresh()
    if (batch.mustSettle) await requests.settle(this.#transcript.sessionIds)
    return { ...(batch.mustJudge ? await this.#judge() : CONTINUES), batch }
  }

  #publishDeltas({ deltas }: Batch): void {
    const { session, bus } = this.#options
    const { id } = session.record.row
    for (const { sessionID, partID, field, delta } of deltas)
      bus.publishTask(id, {
        kind: 'delta',
        delta: { task_id: id, session_id: sessionID, part_id: partID, field, delta },
      })
  }

  async #readAll(): Promise<Findings> {
    const { record, signal } = this.#options.session
    const findings = await this.#transcript.read(signal)
    await record.append(this.#transcript.narrateAll(findings))
    return findings
  }

  /** Reads the record: a control interrupts the run, messages are delivered. */
  async #refresh(): Promise<void> {
    const { session, interrupt } = this.#options
    await session.record.refresh()
    raiseRequested(session.record, interrupt)
    interrupt.check()
    await this.#deliver()
  }

  /** @returns whether there were messages to deliver. */
  async #deliver(): Promise<boolean> {
    const hasDelivered = (await deliverMessages(this.#options.session)) > 0
    if (hasDelivered) this.#forgetLastTurn()
    return hasDelivered
  }

  /** The session has a new prompt: what was found about the turn before it no longer applies. */
  #forgetLastTurn(): void {
    this.#interruption.reset()
    this.#sessionError = null
  }

  async #judge(): Promise<Judgement> {
    const { server, ref, signal } = this.#options.session
    const statuses = await server.client.statuses(ref.directory, { signal })
    // A background subagent prompts its parent when it is done: the turn is over only when all
    // sessions are idle.
    const isWorking = [...this.#transcript.sessionIds].some((id) => isBusy(statuses[id]))
    if (isWorking) {
      this.#interruption.reset()
      return CONTINUES
    }
    const findings = await this.#readAll()
    const turn = judgeTurn(summariseTurn([findings.root, ...findings.children]), this.#sessionError)
    switch (turn.kind) {
      case 'finished':
        return { verdict: await this.#complete(findings), mustRunAlone: false }
      case 'failed':
        return { verdict: { kind: 'failed', findings, error: turn.error }, mustRunAlone: false }
      case 'interrupted':
        if (!this.#interruption.confirm(findings.root)) return CONTINUES
        if (!this.#hasPrompt(findings)) {
          // The server has accepted the prompt and not stored it yet, or it died before it did. The turn is not resumed a
          // second time: the same message is sent again, which starts one turn.
          await sendRecordedPrompt(this.#options.session, true)
          return CONTINUES
        }
        return { verdict: null, mustRunAlone: !(await this.#resume(turn.end)) }
    }
  }

  #hasPrompt({ root }: Findings): boolean {
    const { prompt_id: promptId } = this.#options.session.record.row
    return root.some(({ info }) => info.id === promptId)
  }

  /** @returns false if the task has to run alone first. */
  async #resume(end: TurnEnd): Promise<boolean> {
    const { session } = this.#options
    const { losses } = session.server.state()
    const isServerDeath = losses > this.#lossesBefore
    this.#lossesBefore = losses
    const isResumed = await resumeTurn(session, { end, isServerDeath })
    this.#forgetLastTurn()
    return isResumed
  }

  async #complete(findings: Findings): Promise<Verdict | null> {
    if (await this.#deliver()) return null
    const { record } = this.#options.session
    return { kind: 'completed', findings, messagesSeen: await countDelivered(record.db, record.row.id) }
  }
}
