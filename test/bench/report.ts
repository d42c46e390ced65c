// Formats the table of one part of the benchmark.

import type { Spread } from './figures.ts'

export type Row = {
  readonly name: string
  readonly ours: number
  /** The same measurement without Switchyard, in the same run, if there is one. */
  readonly bare?: number
  /** Spread of `ours / bare` over the rounds, or of `ours` without `bare`. */
  readonly spread: Spread
  /** Target: the maximum of `ours / bare`, or of `ours` without `bare`. */
  readonly aim?: number
}

export type Section = {
  readonly title: string
  /** What each side does, line by line. */
  readonly explanation: readonly string[]
  readonly unit: 'ms' | 's'
  readonly rows: readonly Row[]
  readonly notes?: readonly string[]
}

const digits = (value: number): string => value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0)

const cells = (row: Row, unit: string): readonly string[] => {
  const isRatio = row.bare !== undefined
  const figure = row.bare === undefined ? row.ours : row.ours / row.bare
  const mark = isRatio ? ' ×' : ` ${unit}`
  return [
    row.name,
    `${digits(row.ours)} ${unit}`,
    row.bare === undefined ? '' : `${digits(row.bare)} ${unit}`,
    isRatio ? `${figure.toFixed(2)} ×` : '',
    `${digits(row.spread.low)}–${digits(row.spread.high)}${mark}`,
    row.aim === undefined ? '' : `≤ ${row.aim}${mark}`,
    row.aim === undefined ? '' : figure <= row.aim ? 'met' : 'MISSED',
  ]
}

const HEAD = ['', 'Switchyard', 'bare', 'ratio', 'spread', 'target', '']

/** Returns the section as text. */
export const formatSection = (section: Section): string => {
  const table = [HEAD, ...section.rows.map((row) => cells(row, section.unit))]
  const widths = HEAD.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)))
  const lines = table.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
  const rule = '─'.repeat(Math.max(...lines.map((line) => line.length)))
  return [
    `\n${section.title}`,
    ...section.explanation.map((line) => `  ${line}`),
    '',
    lines[0] ?? '',
    rule,
    ...lines.slice(1),
    ...(section.notes ?? []).map((note) => `  ${note}`),
  ].join('\n')
}
