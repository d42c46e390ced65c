// Decides, when a task is accepted, which mode runs it, on which pool of OpenCode servers, and why. Pure functions.

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
import type { UnservedQueueNames } from './unserved-queues.ts'

export type Rules = {
  /** OPENCODE_SERVER_ENABLED. */
  readonly serverEnabled: boolean
  /** The percentage of agents whose tasks go to OpenCode servers. */
  readonly percent: number
  readonly pools: Shares
  readonly fixed: Fixed | null
  readonly breaker: { readonly state: 'closed' | 'open' | 'half_open'; readonly side: Mode | null }
} & UnservedQueueNames

export type Choice = {
  /** The agent id, or the task id without one. The same subject always gets the same side. */
  readonly subject: string
  readonly requestedMode: Mode | undefined
  /** What the task needs that docker mode does not support, as text for people. */
  readonly unsupportedByDocker?: string | undefined
  /** Whether the task was counted as a probe of the side that failed; see `mayBeProbe`. */
  readonly isProbe?: boolean
}

export type Decision = {
  readonly mode: Mode
  readonly reason: ModeReason
  readonly pool: Pool | null
  /** The explanation for people. */
  readonly detail: string
}

/** Returns the bucket of a subject, from 0 to 99.99: evenly distributed, and the same in every process. */
export const bucketOf = (subject: string, purpose: 'mode' | 'pool'): number =>
  (createHash('sha256').update(`${purpose}:${subject}`).digest().readUInt32BE(0) % 10_000) / 100

const otherMode = (mode: Mode): Mode => (mode === 'opencode' ? 'docker' : 'opencode')
export const otherPool = (pool: Pool): Pool => (pool === 'blue' ? 'green' : 'blue')

const queueNamesOf = (mode: Mode): readonly QueueName[] => (mode === 'docker' ? ['docker'] : POOLS)

export const isUnserved = ({ unserved }: UnservedQueueNames, mode: Mode): boolean =>
  queueNamesOf(mode).every((queueName) => unserved.has(queueName))

/** Returns whether a live worker serves the mode. A mode that is starting is neither served nor unserved. */
export const isServed = ({ unserved, starting }: UnservedQueueNames, mode: Mode): boolean =>
  queueNamesOf(mode).some((queueName) => !unserved.has(queueName) && !starting.has(queueName))

const NAMES = { opencode: 'OpenCode servers', docker: 'docker' } as const

type ModeChoice = Pick<Decision, 'mode' | 'reason' | 'detail'>

/** Returns the side that the percentage selects, regardless of the breaker and workers. */
const byPercent = ({ percent }: Rules, subject: string): ModeChoice => {
  const bucket = bucketOf(subject, 'mode')
  const mode = bucket < percent ? 'opencode' : 'docker'
  return {
    mode,
    reason: 'rollout',
    detail: `${percent} % of agents use ${NAMES.opencode}, and this one is in bucket ${bucket}`,
  }
}

/** Returns whether the task would go to the side that the breaker is probing, so that it can serve as a probe. */
export const mayBeProbe = (rules: Rules, { subject, requestedMode, unsupportedByDocker }: Choice): boolean =>
  requestedMode === undefined &&
  unsupportedByDocker === undefined &&
  rules.serverEnabled &&
  rules.fixed === null &&
  rules.breaker.state === 'half_open' &&
  rules.breaker.side !== null &&
  !isUnserved(rules, rules.breaker.side) &&
  byPercent(rules, subject).mode === rules.breaker.side

const byBreaker = (rules: Rules, choice: Choice, wanted: ModeChoice): ModeChoice => {
  const { breaker, fixed } = rules
  if (fixed === 'percent' || breaker.state === 'closed' || breaker.side !== wanted.mode) return wanted
  if (choice.isProbe === true)
    return { mode: wanted.mode, reason: 'probe', detail: `probes ${NAMES[wanted.mode]}; ${wanted.detail}` }
  const mode = otherMode(wanted.mode)
  return {
    mode,
    reason: 'breaker',
    detail: `the breaker is open for ${NAMES[wanted.mode]}, so new tasks go to ${NAMES[mode]}; ${wanted.detail}`,
  }
}

/** Returns whether tasks may move to docker mode. At 100 % it is not in use, so they wait for a server instead. */
export const mayLeaveServers = ({ percent }: Pick<Rules, 'percent'>): boolean => percent < 100

const byWorkers = (rules: Rules, chosen: ModeChoice): ModeChoice => {
  const other = otherMode(chosen.mode)
  if (!isUnserved(rules, chosen.mode) || !isServed(rules, other)) return chosen
  if (chosen.mode === 'opencode' && !mayLeaveServers(rules)) return chosen
  return { mode: other, reason: 'no_worker', detail: `no live worker serves ${NAMES[chosen.mode]}; ${chosen.detail}` }
}

const chooseMode = (rules: Rules, choice: Choice): ModeChoice => {
  const { requestedMode, subject, unsupportedByDocker } = choice
  if (requestedMode !== undefined)
    return { mode: requestedMode, reason: 'asked', detail: `the call requested ${NAMES[requestedMode]}` }
  if (unsupportedByDocker !== undefined && rules.serverEnabled)
    return { mode: 'opencode', reason: 'docker_cannot', detail: `docker mode does not support ${unsupportedByDocker}` }
  if (!rules.serverEnabled)
    return { mode: 'docker', reason: 'server_disabled', detail: 'OPENCODE_SERVER_ENABLED is false' }
  if (rules.fixed === 'opencode' || rules.fixed === 'docker')
    return { mode: rules.fixed, reason: 'fixed', detail: `an operator directed all new tasks to ${NAMES[rules.fixed]}` }
  return byWorkers(rules, byBreaker(rules, choice, byPercent(rules, subject)))
}

const choosePool = ({ pools, unserved }: Rules, subject: string): { readonly pool: Pool; readonly detail: string } => {
  const bucket = bucketOf(subject, 'pool')
  const pool = bucket < pools.green ? 'green' : 'blue'
  const other = otherPool(pool)
  if (unserved.has(pool) && !unserved.has(other))
    return { pool: other, detail: `pool ${other}: ${pool} has no live worker` }
  if (pools.green === 0 || pools.blue === 0) return { pool, detail: `pool ${pool}` }
  return { pool, detail: `pool ${pool}: ${pools.green} % use green, and this one is in bucket ${bucket}` }
}

/**
 * Decides mode and pool. The same subject gets the same result in every process, and stays on its side while the share of
 * that side grows.
 */
export const decide = (rules: Rules, choice: Choice): Decision => {
  const { mode, reason, detail } = chooseMode(rules, choice)
  if (mode === 'docker') return { mode, reason, pool: null, detail }
  const { pool, detail: ofPool } = choosePool(rules, choice.subject)
  return { mode, reason, pool, detail: `${detail}; ${ofPool}` }
}
