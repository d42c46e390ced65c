// The decision at acceptance: which mode runs a task, on which pool of OpenCode servers, and why. Pure.

import { createHash } from 'node:crypto'
import {
  type Fixed,
  type Mode,
  type ModeReason,
  POOLS,
  type Pool,
  type QueueName,
  type Shares,
} from '@switchyard/contracts'
import type { Absent } from './unserved-queues.ts'

export type Rules = {
  /** OPENCODE_SERVER_ENABLED. */
  readonly serverEnabled: boolean
  /** Of a hundred agents so many are on the side of the OpenCode servers. */
  readonly percent: number
  readonly pools: Shares
  readonly fixed: Fixed | null
  readonly breaker: { readonly state: 'closed' | 'open' | 'half_open'; readonly side: Mode | null }
} & Absent

export type Choice = {
  /** The agent, or the task itself where it has none: the same subject stays on its side. */
  readonly subject: string
  readonly asked: Mode | undefined
  /** What the task asks for and docker mode cannot do, in words. */
  readonly dockerCannot?: string | undefined
  /** It was counted as a probe of the side that failed: see `mayBeProbe`. */
  readonly isProbe?: boolean
}

export type Decision = {
  readonly mode: Mode
  readonly reason: ModeReason
  readonly pool: Pool | null
  /** In words, for the record. */
  readonly detail: string
}

/** Where a subject stands among all, from 0 up to 100, in steps of 0.01: evenly spread, and the same in every process. */
export const standing = (subject: string, purpose: 'mode' | 'pool'): number =>
  (createHash('sha256').update(`${purpose}:${subject}`).digest().readUInt32BE(0) % 10_000) / 100

const otherMode = (mode: Mode): Mode => (mode === 'opencode' ? 'docker' : 'opencode')
export const otherPool = (pool: Pool): Pool => (pool === 'blue' ? 'green' : 'blue')

const queueNamesOf = (mode: Mode): readonly QueueName[] => (mode === 'docker' ? ['docker'] : POOLS)

export const isGone = ({ gone }: Absent, mode: Mode): boolean =>
  queueNamesOf(mode).every((queueName) => gone.has(queueName))

/** Whether a worker is there for it: a side that is awaited is neither gone nor served. */
export const isServed = ({ gone, awaited }: Absent, mode: Mode): boolean =>
  queueNamesOf(mode).some((queueName) => !gone.has(queueName) && !awaited.has(queueName))

const NAMES = { opencode: 'OpenCode servers', docker: 'docker' } as const

type ModeChoice = Pick<Decision, 'mode' | 'reason' | 'detail'>

/** The side that the percentage says, before anything is known to be wrong with it. */
const byPercent = ({ percent }: Rules, subject: string): ModeChoice => {
  const at = standing(subject, 'mode')
  const mode = at < percent ? 'opencode' : 'docker'
  return { mode, reason: 'rollout', detail: `${percent} % go to ${NAMES.opencode}, and this one stands at ${at}` }
}

/** Whether a task would go to the side that the breaker tries again: it may be one of the probes. */
export const mayBeProbe = (rules: Rules, { subject, asked, dockerCannot }: Choice): boolean =>
  asked === undefined &&
  dockerCannot === undefined &&
  rules.serverEnabled &&
  rules.fixed === null &&
  rules.breaker.state === 'half_open' &&
  rules.breaker.side !== null &&
  !isGone(rules, rules.breaker.side) &&
  byPercent(rules, subject).mode === rules.breaker.side

const byBreaker = (rules: Rules, choice: Choice, wanted: ModeChoice): ModeChoice => {
  const { breaker, fixed } = rules
  if (fixed === 'percent' || breaker.state === 'closed' || breaker.side !== wanted.mode) return wanted
  if (choice.isProbe === true)
    return { mode: wanted.mode, reason: 'probe', detail: `tries ${NAMES[wanted.mode]} again; ${wanted.detail}` }
  const mode = otherMode(wanted.mode)
  return {
    mode,
    reason: 'breaker',
    detail: `${NAMES[wanted.mode]} failed too often, so new tasks go to ${NAMES[mode]}; ${wanted.detail}`,
  }
}

/** At 100 % docker mode is not in use: servers that are away are waited for. */
export const mayLeaveServers = ({ percent }: Pick<Rules, 'percent'>): boolean => percent < 100

const byWorkers = (rules: Rules, chosen: ModeChoice): ModeChoice => {
  const other = otherMode(chosen.mode)
  if (!isGone(rules, chosen.mode) || !isServed(rules, other)) return chosen
  if (chosen.mode === 'opencode' && !mayLeaveServers(rules)) return chosen
  return { mode: other, reason: 'no_worker', detail: `no live worker takes ${NAMES[chosen.mode]}; ${chosen.detail}` }
}

const chooseMode = (rules: Rules, choice: Choice): ModeChoice => {
  const { asked, subject, dockerCannot } = choice
  if (asked !== undefined) return { mode: asked, reason: 'asked', detail: `the call asked for ${NAMES[asked]}` }
  if (dockerCannot !== undefined && rules.serverEnabled)
    return { mode: 'opencode', reason: 'docker_cannot', detail: `docker mode cannot do this: ${dockerCannot}` }
  if (!rules.serverEnabled)
    return { mode: 'docker', reason: 'server_disabled', detail: 'OPENCODE_SERVER_ENABLED is false' }
  if (rules.fixed === 'opencode' || rules.fixed === 'docker')
    return { mode: rules.fixed, reason: 'fixed', detail: `every new task goes to ${NAMES[rules.fixed]}, by hand` }
  return byWorkers(rules, byBreaker(rules, choice, byPercent(rules, subject)))
}

const choosePool = ({ pools, gone }: Rules, subject: string): { readonly pool: Pool; readonly detail: string } => {
  const at = standing(subject, 'pool')
  const pool = at < pools.green ? 'green' : 'blue'
  const other = otherPool(pool)
  if (gone.has(pool) && !gone.has(other)) return { pool: other, detail: `pool ${other}: ${pool} has no live worker` }
  if (pools.green === 0 || pools.blue === 0) return { pool, detail: `pool ${pool}` }
  return { pool, detail: `pool ${pool}: ${pools.green} % go to green, and this one stands at ${at}` }
}

/**
 * Decides mode and pool. The same subject gets the same answer in every process, and a side that it is on it keeps as the
 * share of that side grows.
 */
export const decide = (rules: Rules, choice: Choice): Decision => {
  const { mode, reason, detail } = chooseMode(rules, choice)
  if (mode === 'docker') return { mode, reason, pool: null, detail }
  const { pool, detail: ofPool } = choosePool(rules, choice.subject)
  return { mode, reason, pool, detail: `${detail}; ${ofPool}` }
}
