// Builds the response of GET /rollout: the settings, their current effect, and the state of each side.

import type { Config } from '@switchyard/config'
import { QUEUE_NAMES, type QueueName, type RolloutReport, type Shares } from '@switchyard/contracts'
import {
  compareSides,
  type Db,
  listRolloutChanges,
  type QueueLoad,
  type RolloutNow,
  type RolloutRow,
  readQueueLoads,
} from '@switchyard/records'
import { cooldownOf } from './breaker.ts'
import type { Rules } from './decide.ts'
import { shareOf } from './shares.ts'
import { warningsOf } from './warnings.ts'

/** Maximum number of recent tasks in a comparison. */
const MAX_COMPARED = 10_000
const CHANGES = 20

export type RolloutSettings = Config['rollout'] & Pick<Config['opencode'], 'serverEnabled'>

const iso = (time: Date): string => time.toISOString()

const poolsOf = (green: number): Shares => ({ blue: 100 - green, green })

const breakerOf = (row: RolloutRow, settings: RolloutSettings): RolloutReport['breaker'] => ({
  state: row.breaker_state,
  side: row.breaker_side,
  since: iso(row.breaker_since),
  reason: row.breaker_reason,
  probes: { sent: row.probes_sent, needed: settings.probes },
  next_probe_at:
    row.breaker_state === 'open'
      ? iso(new Date(row.breaker_since.getTime() + cooldownOf(settings, row.breaker_trips)))
      : null,
})

type Side = RolloutReport['sides'][number]

const stateOf = (share: number, workers: number, { queued, running }: QueueLoad): Side['state'] => {
  if (workers === 0) return 'no_worker'
  if (share > 0) return 'active'
  return queued + running > 0 ? 'draining' : 'drained'
}

const sideOf = (
  queueName: QueueName,
  rules: Rules,
  live: RolloutNow['live'],
  loads: ReadonlyMap<QueueName, QueueLoad>,
): Side => {
  const share = shareOf(queueName, rules)
  const load = loads.get(queueName) ?? { queued: 0, running: 0 }
  const workers = live.get(queueName) ?? 0
  return {
    mode: queueName === 'docker' ? 'docker' : 'opencode',
    pool: queueName === 'docker' ? null : queueName,
    share,
    state: stateOf(share, workers, load),
    live_workers: workers,
    ...load,
  }
}

/** Returns the report. @throws SwitchyardError `database_unavailable` */
export const reportRollout = async (
  db: Db,
  settings: RolloutSettings,
  { row, live, now }: RolloutNow,
  rules: Rules,
): Promise<RolloutReport> => {
  const windowFrom = new Date(now.getTime() - settings.windowMs)
  const [loads, window, sinceChange, history] = await Promise.all([
    readQueueLoads(db),
    compareSides(db, windowFrom, MAX_COMPARED),
    compareSides(db, row.changed_at, MAX_COMPARED),
    listRolloutChanges(db, CHANGES),
  ])
  return {
    percent: row.percent,
    pools: poolsOf(row.green),
    fixed: row.fixed,
    server_enabled: settings.serverEnabled,
    changed: { at: iso(row.changed_at), by: row.changed_by, reason: row.reason },
    breaker: breakerOf(row, settings),
    sides: QUEUE_NAMES.map((queueName) => sideOf(queueName, rules, live, loads)),
    warnings: [...warningsOf(rules)],
    window_ms: settings.windowMs,
    window: { since: iso(windowFrom), truncated: window.truncated, sides: [...window.sides] },
    since_change: { since: iso(row.changed_at), truncated: sinceChange.truncated, sides: [...sinceChange.sides] },
    history: history.map((change) => ({
      at: iso(change.changed_at),
      by: change.changed_by,
      reason: change.reason,
      percent: change.percent,
      pools: poolsOf(change.green),
      fixed: change.fixed,
      breaker: change.breaker_state,
      breaker_side: change.breaker_side,
    })),
  }
}
