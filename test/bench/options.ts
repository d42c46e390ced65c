// The arguments of `npm run bench`.

import { parseArgs } from 'node:util'

const PARTS = ['accept', 'first', 'events', 'wall', 'docker', 'deliveries', 'projects', 'sandbox', 'gateway'] as const
export type Part = (typeof PARTS)[number]

export type Options = {
  readonly parts: readonly Part[]
  /** Fewer rounds: checks that the benchmark runs, but the figures are not reliable. */
  readonly quick: boolean
}

const USAGE = `usage: npm run bench -- [--quick] [--only ${PARTS.join(',')}]`

const isPart = (name: string): name is Part => (PARTS as readonly string[]).includes(name)

/**
 * Parses the command line.
 *
 * @throws Error with the usage for unknown parts
 */
export const readOptions = (args: readonly string[]): Options => {
  const { values } = parseArgs({
    args: [...args],
    options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } },
  })
  const named = values.only?.split(',') ?? PARTS
  const parts = named.filter(isPart)
  if (parts.length === 0 || parts.length < named.length) throw new Error(USAGE)
  return { parts, quick: values.quick }
}
