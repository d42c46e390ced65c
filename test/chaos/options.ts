// The arguments of `npm run chaos`.

import { parseArgs } from 'node:util'
import { SCENARIOS } from './scenarios/index.ts'

export type Options = {
  readonly scenarios: readonly string[]
  readonly times: number | undefined
  readonly seed: number
  readonly short: boolean
  readonly keep: boolean
}

export const USAGE = `npm run chaos -- [--scenario name]… [--times N] [--seed S] [--short] [--keep]

  --scenario  run only this scenario; can be repeated. One of: ${SCENARIOS.map((scenario) => scenario.name).join(', ')}
  --times     number of faults, instead of the scenario's default
  --seed      chooses when and where faults happen; the same seed gives the same faults (default 1)
  --short     few faults per scenario, as in CI
  --keep      keep the directory with the logs
`

const parseWholeNumber = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw new Error(`--${name} ${text} is not a whole number`)
  return Number(text)
}

/**
 * Parses the command line.
 *
 * @throws Error that names the invalid argument
 */
export const readOptions = (args: readonly string[]): Options => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string', multiple: true },
      times: { type: 'string' },
      seed: { type: 'string' },
      short: { type: 'boolean' },
      keep: { type: 'boolean' },
    },
  })
  const names = SCENARIOS.map((scenario) => scenario.name)
  const unknown = (values.scenario ?? []).find((name) => !names.includes(name))
  if (unknown !== undefined) throw new Error(`--scenario ${unknown}: unknown scenario`)
  return {
    scenarios: values.scenario ?? names,
    times: parseWholeNumber('times', values.times),
    seed: parseWholeNumber('seed', values.seed) ?? 1,
    short: values.short ?? false,
    keep: values.keep ?? false,
  }
}
