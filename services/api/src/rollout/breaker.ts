// The breaker between the modes, as a pure state machine: closed → open → half open → closed, or open again.
//
// It counts infrastructure failures alone, and it compares: where both sides fail, the cause is one that they share, and moving the
// tasks would help nobody.

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
/** After this many failed attempts in a row the time between them grows no further. */
const MAX_DOUBLINGS = 4
/** A claimed probe whose task is not there after so long is lost; until then it is being written, ms. */
const CLAIM_MS = 30_000

const NOTHING: SideOutcome = { ended: 0, failures: 0 }

const otherOf = (mode: Mode): Mode => (mode === 'opencode' ? 'docker' : 'opencode')

/** How long it stays open before it probes, ms. */
export const cooldownOf = ({ cooldownMs }: BreakerSettings, trips: number): number =>
  cooldownMs * 2 ** Math.min(Math.max(trips - 1, 0), MAX_DOUBLINGS)

const isBad = ({ ended, failures }: SideOutcome, { minTasks, failurePercent }: BreakerSettings): boolean =>
  ended >= minTasks && failures * 100 >= failurePercent * ended

const shareOf = ({ ended, failures }: SideOutcome): number => (ended === 0 ? 0 : failures / ended)

type Seen = Evidence & {
  /** Whether a worker that is alive takes tasks of that side: nothing is sent where nobody is. */
  readonly isServed: (mode: Mode) => boolean
}

const whileClosed = (settings: BreakerSettings, { sides, isServed }: Seen): BreakerMove | null => {
  for (const side of MODES) {
    const other = otherOf(side)
    const own = sides.get(side) ?? NOTHING
    const others = sides.get(other) ?? NOTHING
    if (!isBad(own, settings) || isBad(others, settings) || shareOf(others) >= shareOf(own) || !isServed(other))
      continue
    const reason = `${own.failures} of ${own.ended} tasks of ${side} ended by its infrastructure: new tasks go to ${other}`
    return { kind: 'turn', state: 'open', side, trips: 1, allowed: 0, reason }
  }
  return null
}

const whileOpen = (row: BreakerRow, side: Mode, settings: BreakerSettings, { now }: Seen): BreakerMove | null => {
  if (now.getTime() - row.breaker_since.getTime() < cooldownOf(settings, row.breaker_trips)) return null
  const reason = `${side} is tried again with ${settings.probes} tasks`
  return { kind: 'turn', state: 'half_open', side, trips: row.breaker_trips, allowed: settings.probes, reason }
}

const whileProbing = (
  row: BreakerRow,
  side: Mode,
  settings: BreakerSettings,
  { probes, now }: Seen,
): BreakerMove | null => {
  if (probes.failed > 0) {
    const reason = `a task that tried ${side} again ended by its infrastructure: new tasks stay away from it`
    return { kind: 'turn', state: 'open', side, trips: row.breaker_trips + 1, allowed: 0, reason }
  }
  if (probes.passed >= settings.probes) {
    const reason = `${probes.passed} tasks that tried ${side} again went well: the percentage holds again`
    return { kind: 'turn', state: 'closed', side: null, trips: 0, allowed: 0, reason }
  }
  // A probe that was cancelled proved nothing, and one that was claimed and refused by something else never came to be.
  const isWritten = now.getTime() - (row.probe_claimed_at?.getTime() ?? 0) > CLAIM_MS
  const lost = isWritten ? Math.max(0, row.probes_sent - probes.sent) : 0
  const allowed = settings.probes + probes.cancelled + lost
  return allowed > row.probes_allowed ? { kind: 'allow', allowed } : null
}

/** What the breaker does now; null: nothing. */
export const judge = (row: BreakerRow, settings: BreakerSettings, seen: Seen): BreakerMove | null => {
  if (row.breaker_state === 'closed' || row.breaker_side === null) return whileClosed(settings, seen)
  if (row.breaker_state === 'open') return whileOpen(row, row.breaker_side, settings, seen)
  return whileProbing(row, row.breaker_side, settings, seen)
}
