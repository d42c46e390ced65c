// The rollout as this api knows it: the settings, kept fresh; the decision for each new task; and what has to be done about it from
// time to time: the breaker, and tasks that wait in a pool that takes none.

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
import { judge } from './breaker.ts'
import { type Choice, type Decision, decide, isServed, mayBeProbe, type Rules } from './decide.ts'
import { moveWaiting } from './move-waiting.ts'
import { type RolloutSettings, reportRollout } from './report.ts'
import { UnservedQueues } from './unserved-queues.ts'

/** Settings older than this are read again before anything is decided, ms. */
const FRESH_MS = 1_000
const EVERY_MS = 750

export type RolloutDeps = {
  readonly settings: RolloutSettings
  readonly records: Records
  readonly queue: Pick<TaskQueue, 'addAll'>
  readonly bus: Bus
  readonly logger: Logger
}

type Known = { readonly at: number; readonly now: RolloutNow; readonly rules: Rules }

export class Rollout {
  readonly #deps: RolloutDeps
  readonly #absent = new UnservedQueues()
  readonly #tending: Repeating
  readonly #listening: Promise<Unsubscribe>
  #isTold = false
  #known: Known | undefined
  #reading: Promise<Known> | undefined

  /** Begins to keep itself fresh; `close` ends it. */
  constructor(deps: RolloutDeps) {
    this.#deps = deps
    this.#tending = repeat({
      name: 'rollout check',
      everyMs: EVERY_MS,
      work: () => this.#tend(),
      logger: deps.logger,
    })
    this.#listening = deps.bus.onHint('rollout', () => {
      this.#known = undefined
    })
  }

  /**
   * Mode and pool of a new task. Asks the database only where what is known is older than a second, or the task may be a probe.
   *
   * @throws SwitchyardError `not_supported` where the mode that was asked for cannot be had, `database_unavailable`
   */
  async decide(choice: Choice): Promise<Decision> {
    const { rules } = await this.#current()
    if (choice.dockerCannot !== undefined && (choice.asked === 'docker' || !rules.serverEnabled))
      throw new SwitchyardError('not_supported', `docker mode cannot do this: ${choice.dockerCannot}`)
    if (choice.asked === 'docker' && !isServed(rules, 'docker'))
      throw new SwitchyardError('not_supported', 'no live worker runs docker mode; leave mode out')
    if (choice.asked === 'opencode' && !rules.serverEnabled)
      throw new SwitchyardError('not_supported', 'OPENCODE_SERVER_ENABLED is false: there is docker mode alone')
    if (!mayBeProbe(rules, choice)) return decide(rules, choice)
    return decide(rules, { ...choice, isProbe: await claimProbe(this.#deps.records.db) })
  }

  /**
   * Changes the settings, for every api and at once for this one.
   *
   * @throws SwitchyardError `not_supported` where traffic would go to a side that is switched off, `database_unavailable`
   */
  async change(input: ChangeRollout, by: string): Promise<RolloutReport> {
    const { settings, records, bus, logger } = this.#deps
    const { percent, pools, fixed, reason } = input
    if (!settings.serverEnabled && ((percent ?? 0) > 0 || fixed === 'opencode'))
      throw new SwitchyardError(
        'not_supported',
        'OPENCODE_SERVER_ENABLED is false: no task can go to OpenCode servers',
        { hint: 'Set OPENCODE_SERVER_ENABLED=true with OPENCODE_ROLLOUT_PERCENT=0 first, then raise the percentage.' },
      )
    await this.#current()
    const green = pools?.green ?? (pools?.blue === undefined ? undefined : 100 - pools.blue)
    await changeRollout(records.db, { percent, green, fixed }, by, reason)
    logger.info({ percent, green, fixed, by, reason }, 'the rollout was changed')
    await this.#readAnew()
    bus.publishHint('rollout')
    this.#tending.runNow()
    return await this.report()
  }

  /** Everything there is to know for the next decision of an operator. @throws SwitchyardError `database_unavailable` */
  async report(): Promise<RolloutReport> {
    const { now, rules } = await this.#current()
    return await reportRollout(this.#deps.records.db, this.#deps.settings, now, rules)
  }

  async #current(): Promise<Known> {
    const known = this.#known
    if (known && performance.now() - known.at < FRESH_MS) return known
    return await this.#read()
  }

  /** What is being read right now may be older than what was just written. */
  async #readAnew(): Promise<void> {
    await this.#reading?.catch(() => {})
    await this.#read()
  }

  #read(): Promise<Known> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readNow(): Promise<Known> {
    const { records, settings } = this.#deps
    const at = performance.now()
    let now = await readRollout(records.db)
    if (!now) {
      // Where there were no servers yet, they get no traffic by being switched on.
      const percent = settings.serverEnabled ? settings.percent : 0
      await initRollout(records.db, percent, 'the first start')
      now = await readRollout(records.db)
    }
    if (!now) throw new Error('the settings of the rollout are not there')
    const { row, live } = now
    this.#tellOnce(row.percent)
    const rules: Rules = {
      serverEnabled: settings.serverEnabled,
      percent: row.percent,
      pools: { blue: 100 - row.green, green: row.green },
      fixed: row.fixed,
      breaker: { state: row.breaker_state, side: row.breaker_side },
      ...this.#absent.see(live, at),
    }
    this.#known = { at, now, rules }
    return this.#known
  }

  /** An operator who changed the variable and started anew would wait in vain. */
  #tellOnce(percent: number): void {
    const { settings, logger } = this.#deps
    if (this.#isTold) return
    this.#isTold = true
    if (percent !== settings.percent)
      logger.info(
        { percent, first: settings.percent },
        `the rollout is at ${percent} % by the record; OPENCODE_ROLLOUT_PERCENT is only its first value`,
      )
  }

  async #tend(): Promise<void> {
    const { rules, now } = await this.#read()
    await this.#tendBreaker(rules, now)
    await moveWaiting(this.#deps, rules)
  }

  async #tendBreaker(rules: Rules, { live }: RolloutNow): Promise<void> {
    const { records, settings, logger, bus } = this.#deps
    const hasWorker = (queueName: QueueName): boolean => (live.get(queueName) ?? 0) > 0
    const served: Readonly<Record<Mode, boolean>> = {
      docker: hasWorker('docker'),
      opencode: settings.serverEnabled && POOLS.some(hasWorker),
    }
    // A side that fails has often nobody left; where the other has nobody either there is nothing to send tasks to.
    if (rules.fixed !== null || (rules.breaker.state === 'closed' && !served.docker && !served.opencode)) return
    const move = await evaluateBreaker(records.db, settings.windowMs, (row, evidence) =>
      judge(row, settings, { ...evidence, isServed: (mode) => served[mode] }),
    )
    if (move === null) return
    if (move.kind === 'turn') {
      const facts = { state: move.state, side: move.side }
      if (move.state === 'open') logger.warn(facts, `the breaker has opened: ${move.reason}`)
      else logger.info(facts, `the breaker is ${move.state.replace('_', ' ')}: ${move.reason}`)
    }
    await this.#readAnew()
    bus.publishHint('rollout')
  }

  async close(): Promise<void> {
    const tended = this.#tending.stop()
    const stop = await this.#listening
    stop()
    await tended
    await this.#reading?.catch(() => {})
  }
}
