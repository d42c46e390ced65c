// The rollout: caches its settings, decides where each new task runs, and periodically evaluates the breaker and moves tasks out
// of pools that are drained or unserved.

import type { Logger } from '@switchyard/config'
import {
  type ChangeRollout,
  type Mode,
  POOLS,
  type QueueName,
  type RolloutReport,
  SwitchyardError,
} from '@switchyard/contracts'
import { type Repeating, repeat } from '@switchyard/process'
import type { Bus, TaskQueue, Unsubscribe } from '@switchyard/queue'
import {
  changeRollout,
  claimProbe,
  evaluateBreaker,
  initRollout,
  type Records,
  type RolloutNow,
  readRollout,
} from '@switchyard/records'
import { nextBreakerMove } from './breaker.ts'
import { type Choice, type Decision, decide, isServed, mayBeProbe, type Rules } from './decide.ts'
import { moveWaiting } from './move-waiting.ts'
import { type RolloutSettings, reportRollout } from './report.ts'
import { UnservedQueues } from './unserved-queues.ts'

/** Maximum age of cached settings, ms. */
const FRESH_MS = 1_000
const CHECK_MS = 750

export type RolloutDeps = {
  readonly settings: RolloutSettings
  readonly records: Records
  readonly queue: Pick<TaskQueue, 'addAll'>
  readonly bus: Bus
  readonly logger: Logger
}

type Snapshot = { readonly at: number; readonly now: RolloutNow; readonly rules: Rules }

export class Rollout {
  readonly #deps: RolloutDeps
  readonly #unserved = new UnservedQueues()
  readonly #checking: Repeating
  readonly #listening: Promise<Unsubscribe>
  #hasLogged = false
  #known: Snapshot | undefined
  #reading: Promise<Snapshot> | undefined

  /** Starts the periodic check; `close` stops it. */
  constructor(deps: RolloutDeps) {
    this.#deps = deps
    this.#checking = repeat({
      name: 'rollout check',
      everyMs: CHECK_MS,
      work: () => this.#check(),
      logger: deps.logger,
    })
    this.#listening = deps.bus.onHint('rollout', () => {
      this.#known = undefined
    })
  }

  /**
   * Decides mode and pool of a new task. Queries the database only if the cache is older than a second or the task may be a
   * probe.
   *
   * @throws SwitchyardError `not_supported` if the requested mode is not available, `database_unavailable`
   */
  async decide(choice: Choice): Promise<Decision> {
    const { rules } = await this.#current()
    if (choice.unsupportedByDocker !== undefined && (choice.requestedMode === 'docker' || !rules.serverEnabled))
      throw new SwitchyardError('not_supported', `docker mode does not support ${choice.unsupportedByDocker}`)
    if (choice.requestedMode === 'docker' && !isServed(rules, 'docker'))
      throw new SwitchyardError('not_supported', 'no live worker serves docker mode')
    if (choice.requestedMode === 'opencode' && !rules.serverEnabled)
      throw new SwitchyardError('not_supported', 'opencode mode is disabled, because OPENCODE_SERVER_ENABLED is false')
    if (!mayBeProbe(rules, choice)) return decide(rules, choice)
    return decide(rules, { ...choice, isProbe: await claimProbe(this.#deps.records.db) })
  }

  /**
   * Changes the settings for every api process. They apply to this one immediately.
   *
   * @throws SwitchyardError `not_supported` if tasks would go to servers that are disabled, `database_unavailable`
   */
  async change(input: ChangeRollout, by: string): Promise<RolloutReport> {
    const { settings, records, bus, logger } = this.#deps
    const { percent, pools, fixed, reason } = input
    if (!settings.serverEnabled && ((percent ?? 0) > 0 || fixed === 'opencode'))
      throw new SwitchyardError(
        'not_supported',
        'no task can go to OpenCode servers, because OPENCODE_SERVER_ENABLED is false',
        { hint: 'Set OPENCODE_SERVER_ENABLED=true with OPENCODE_ROLLOUT_PERCENT=0 first, then raise the percentage.' },
      )
    await this.#current()
    const green = pools?.green ?? (pools?.blue === undefined ? undefined : 100 - pools.blue)
    await changeRollout(records.db, { percent, green, fixed }, by, reason)
    logger.info({ percent, green, fixed, by, reason }, 'rollout changed')
    await this.#readAfterWrite()
    bus.publishHint('rollout')
    this.#checking.runNow()
    return await this.report()
  }

  /** Returns the settings, the state of each side and their comparison. @throws SwitchyardError `database_unavailable` */
  async report(): Promise<RolloutReport> {
    const { now, rules } = await this.#current()
    return await reportRollout(this.#deps.records.db, this.#deps.settings, now, rules)
  }

  async #current(): Promise<Snapshot> {
    const known = this.#known
    if (known && performance.now() - known.at < FRESH_MS) return known
    return await this.#read()
  }

  /** Reads the settings after a write. A read that is already running may predate the write, so it is awaited first. */
  async #readAfterWrite(): Promise<void> {
    await this.#reading?.catch(() => {})
    await this.#read()
  }

  #read(): Promise<Snapshot> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readNow(): Promise<Snapshot> {
    const { records, settings } = this.#deps
    const at = performance.now()
    let now = await readRollout(records.db)
    if (!now) {
      // If servers are disabled at the first start, enabling them later must not send tasks to them.
      const percent = settings.serverEnabled ? settings.percent : 0
      await initRollout(records.db, percent, 'the first start')
      now = await readRollout(records.db)
    }
    if (!now) throw new Error('the rollout has no settings')
    const { row, live } = now
    this.#logDifferenceOnce(row.percent)
    const rules: Rules = {
      serverEnabled: settings.serverEnabled,
      percent: row.percent,
      pools: { blue: 100 - row.green, green: row.green },
      fixed: row.fixed,
      breaker: { state: row.breaker_state, side: row.breaker_side },
      ...this.#unserved.observe(live, at),
    }
    this.#known = { at, now, rules }
    return this.#known
  }

  /** Logs that the environment variable has no effect, for an operator who changed it and restarted. */
  #logDifferenceOnce(percent: number): void {
    const { settings, logger } = this.#deps
    if (this.#hasLogged) return
    this.#hasLogged = true
    if (percent !== settings.percent)
      logger.info(
        { percent, first: settings.percent },
        `rollout is at ${percent} %; OPENCODE_ROLLOUT_PERCENT applies to the first start only`,
      )
  }

  async #check(): Promise<void> {
    const { rules, now } = await this.#read()
    await this.#checkBreaker(rules, now)
    await moveWaiting(this.#deps, rules)
  }

  async #checkBreaker(rules: Rules, { live }: RolloutNow): Promise<void> {
    const { records, settings, logger, bus } = this.#deps
    const hasWorker = (queueName: QueueName): boolean => (live.get(queueName) ?? 0) > 0
    const served: Readonly<Record<Mode, boolean>> = {
      docker: hasWorker('docker'),
      opencode: settings.serverEnabled && POOLS.some(hasWorker),
    }
    // A failing side often has no live worker. If neither side has one, there is nowhere to send tasks.
    if (rules.fixed !== null || (rules.breaker.state === 'closed' && !served.docker && !served.opencode)) return
    const move = await evaluateBreaker(records.db, settings.windowMs, (row, evidence) =>
      nextBreakerMove(row, settings, { ...evidence, isServed: (mode) => served[mode] }),
    )
    if (move === null) return
    if (move.kind === 'turn') {
      const facts = { state: move.state, side: move.side }
      if (move.state === 'open') logger.warn(facts, `breaker opened: ${move.reason}`)
      else logger.info(facts, `breaker is ${move.state.replace('_', ' ')}: ${move.reason}`)
    }
    await this.#readAfterWrite()
    bus.publishHint('rollout')
  }

  async close(): Promise<void> {
    const stopped = this.#checking.stop()
    const stop = await this.#listening
    stop()
    await stopped
    await this.#reading?.catch(() => {})
  }
}
