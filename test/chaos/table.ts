// Formats the outcome of scenarios as a table and a list of problems.

import { isClean, type Outcome } from './run-scenario.ts'

const HEAD = [
  'scenario',
  'tasks',
  'lost',
  'run twice',
  'events lost',
  'events duplicated',
  'cuts',
  'recovered',
  'p50',
  'p95',
  'seconds',
  '',
]

/** Returns the percentile of the values, `share` from 0 to 1; undefined without values. */
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
  String(outcome.eventsDuplicated.length),
  outcome.cuts > 0 ? String(outcome.cuts) : '–',
  outcome.recoveries.length > 0 ? String(outcome.recoveries.length) : '–',
  seconds(percentile(outcome.recoveries, 0.5)),
  seconds(percentile(outcome.recoveries, 0.95)),
  outcome.seconds.toFixed(0),
  isClean(outcome) ? 'ok' : 'FAILED',
]

/** Returns a table with one line per scenario. */
export const formatTable = (outcomes: readonly Outcome[]): string => {
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

const MAX_LISTED = 20

/** Returns one line per problem, at most 20 of each kind; empty if there is none. */
export const listProblems = (outcome: Outcome): readonly string[] => {
  const named: readonly (readonly [string, readonly string[]])[] = [
    ['lost', outcome.lost],
    ['run twice', outcome.runTwice],
    ['event lost', outcome.eventsLost],
    ['event duplicated', outcome.eventsDuplicated],
    ['problem', outcome.problems],
    ['left behind', outcome.leftovers],
  ]
  return named.flatMap(([what, list]) => [
    ...list.slice(0, MAX_LISTED).map((text) => `${outcome.name}: ${what}: ${text}`),
    ...(list.length > MAX_LISTED ? [`${outcome.name}: ${what}: … and ${list.length - MAX_LISTED} more`] : []),
  ])
}
