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

  --scenario  play only this one; may be repeated. There are: ${SCENARIOS.map((scenario) => scenario.name).join(', ')}
  --times     how often each fault is done, instead of the scenario's own number
  --seed      decides the moments and the victims; the same seed meets the same faults (default 1)
  --short     few faults each, as in CI
  --keep      leave the directory with the logs
`

const whole = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw new Error(`--${name} ${text} is not a whole number`)
  return Number(text)
}

/** @throws Error that says which argument is wrong. */
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
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}`)
  return {
    scenarios: values.scenario ?? names,
    times: whole('times', values.times),
    seed: whole('seed', values.seed) ?? 1,
    short: values.short ?? false,
    keep: values.keep ?? false,
  }
}
