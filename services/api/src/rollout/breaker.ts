// The circuit breaker between the modes, as a pure state machine: closed → open → half open → closed, or open again.
//
// It counts infrastructure failures only, and compares the sides: if both fail, they share the cause, and moving tasks would
// not help.

import type { Mode } from '@switchyard/contracts'
import type { BreakerMove, BreakerRow, Evidence, SideOutcome } from '@switchyard/records'

export type BreakerSettings = {
  readonly windowMs: number
  readonly minTasks: number
  readonly failurePercent: number
  readonly cooldownMs: number
  readonly probes: number
}

const MODES: readonly Mode[] = ['opencode', 'docker']
/** Maximum number of times that the cooldown doubles. */
const MAX_DOUBLINGS = 4
/** Time after which a claimed probe without a task counts as lost, ms. Until then, its task may still be being written. */
const CLAIM_MS = 30_000

const NOTHING: SideOutcome = { ended: 0, failures: 0 }

const otherOf = (mode: Mode): Mode => (mode === 'opencode' ? 'docker' : 'opencode')

/** Returns how long the breaker stays open before it probes, ms. */
export const cooldownOf = ({ cooldownMs }: BreakerSettings, trips: number): number =>
  cooldownMs * 2 ** Math.min(Math.max(trips - 1, 0), MAX_DOUBLINGS)

const isBad = ({ ended, failures }: SideOutcome, { minTasks, failurePercent }: BreakerSettings): boolean =>
  ended >= minTasks && failures * 100 >= failurePercent * ended

const failureRateOf = ({ ended, failures }: SideOutcome): number => (ended === 0 ? 0 : failures / ended)

type Observed = Evidence & {
  /** Returns whether a live worker serves the side. Tasks are never moved to a side without one. */
  readonly isServed: (mode: Mode) => boolean
}

const whileClosed = (settings: BreakerSettings, { sides, isServed }: Observed): BreakerMove | null => {
  for (const side of MODES) {
    const other = otherOf(side)
    const own = sides.get(side) ?? NOTHING
    const others = sides.get(other) ?? NOTHING
    if (
      !isBad(own, settings) ||
      isBad(others, settings) ||
      failureRateOf(others) >= failureRateOf(own) ||
      !isServed(other)
    )
      continue
    const reason = `${own.failures} of ${own.ended} ${side} tasks failed because of its infrastructure; new tasks go to ${other}`
    return { kind: 'turn', state: 'open', side, trips: 1, allowed: 0, reason }
  }
  return null
}

const whileOpen = (row: BreakerRow, side: Mode, settings: BreakerSettings, { now }: Observed): BreakerMove | null => {
  if (now.getTime() - row.breaker_since.getTime() < cooldownOf(settings, row.breaker_trips)) return null
  const reason = `probing ${side} with ${settings.probes} tasks`
  return { kind: 'turn', state: 'half_open', side, trips: row.breaker_trips, allowed: settings.probes, reason }
}

const whileProbing = (
  row: BreakerRow,
  side: Mode,
  settings: BreakerSettings,
  { probes, now }: Observed,
): BreakerMove | null => {
  if (probes.failed > 0) {
    const reason = `a probe of ${side} failed because of its infrastructure; new tasks avoid it`
    return { kind: 'turn', state: 'open', side, trips: row.breaker_trips + 1, allowed: 0, reason }
  }
  if (probes.passed >= settings.probes) {
    const reason = `${probes.passed} probes of ${side} succeeded; the percentage applies again`
    return { kind: 'turn', state: 'closed', side: null, trips: 0, allowed: 0, reason }
  }
  // Replace probes that were cancelled, and claims whose task was refused afterwards: neither proves anything.
  const isWritten = now.getTime() - (row.probe_claimed_at?.getTime() ?? 0) > CLAIM_MS
  const lost = isWritten ? Math.max(0, row.probes_sent - probes.sent) : 0
  const allowed = settings.probes + probes.cancelled + lost
  return allowed > row.probes_allowed ? { kind: 'allow', allowed } : null
}

/** Returns the next move of the breaker, or null if it stays as it is. */
export const nextBreakerMove = (row: BreakerRow, settings: BreakerSettings, observed: Observed): BreakerMove | null => {
  if (row.breaker_state === 'closed' || row.breaker_side === null) return whileClosed(settings, observed)
  if (row.breaker_state === 'open') return whileOpen(row, row.breaker_side, settings, observed)
  return whileProbing(row, row.breaker_side, settings, observed)
}
