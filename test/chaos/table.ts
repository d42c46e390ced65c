// The outcome as a table that a person can read.

import { isClean, type Outcome } from './run.ts'

const HEAD = [
  'scenario',
  'tasks',
  'lost',
  'run twice',
  'events lost',
  'events doubled',
  'cuts',
  'recovered',
  'p50',
  'p95',
  'seconds',
  '',
]

/** The value below which `share` of the values lie; undefined for none. */
const percentile = (values: readonly number[], share: number): number | undefined => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
}

const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : `${(ms / 1_000).toFixed(1)} s`)

const cells = (outcome: Outcome): readonly string[] => [
  outcome.name,
  String(outcome.submitted),
  String(outcome.lost.length),
  String(outcome.runTwice.length),
  String(outcome.eventsLost.length),
  String(outcome.eventsDoubled.length),
  outcome.cuts > 0 ? String(outcome.cuts) : '–',
  outcome.recoveries.length > 0 ? String(outcome.recoveries.length) : '–',
  seconds(percentile(outcome.recoveries, 0.5)),
  seconds(percentile(outcome.recoveries, 0.95)),
  outcome.seconds.toFixed(0),
  isClean(outcome) ? 'ok' : 'FAILED',
]

export const table = (outcomes: readonly Outcome[]): string => {
  const rows = [HEAD, ...outcomes.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const LISTED = 20

/** What went wrong, one line each; empty where nothing did. */
export const findings = (outcome: Outcome): readonly string[] => {
  const named: readonly (readonly [string, readonly string[]])[] = [
    ['lost', outcome.lost],
    ['run twice', outcome.runTwice],
    ['event lost', outcome.eventsLost],
    ['event doubled', outcome.eventsDoubled],
    ['problem', outcome.problems],
    ['left over', outcome.leftovers],
  ]
  return named.flatMap(([what, list]) => [
    ...list.slice(0, LISTED).map((text) => `${outcome.name}: ${what}: ${text}`),
    ...(list.length > LISTED ? [`${outcome.name}: ${what}: … and ${list.length - LISTED} more`] : []),
  ])
}
