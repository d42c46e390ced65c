// `npm run chaos`: faults done to the whole system while it works, and a table of what they cost. Exit code 1 when
// anything was lost, run twice, reported twice or left over.

import { leftRunning, leftSignedIn } from './leftovers.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { isClean, type Outcome, play } from './run.ts'
import { SCENARIOS } from './scenarios/index.ts'
import { findings, table } from './table.ts'
import { whyNoValkey } from './valkey.ts'
import { startWorld } from './world.ts'

const print = (text = ''): void => void process.stdout.write(`${text}\n`)

const chaos = async (options: Options): Promise<boolean> => {
  const missing = await whyNoValkey()
  if (missing !== undefined) {
    print(`skipped: ${missing}`)
    return true
  }
  const world = await startWorld()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void world.close(true).finally(() => process.exit(130)))
  const outcomes: Outcome[] = []
  const left: string[] = []
  try {
    await world.untilWhole()
    print(`run ${world.runId}, seed ${options.seed}, in ${world.home}`)
    for (const scenario of SCENARIOS.filter((each) => options.scenarios.includes(each.name))) {
      const times = options.times ?? (options.short ? scenario.times.short : scenario.times.full)
      print(`\n${scenario.name} × ${times}: ${scenario.what}`)
      const outcome = await play(world, scenario, {
        seed: options.seed,
        times,
        isShort: options.short,
        say: (text) => print(`  ${text}`),
      })
      outcomes.push(outcome)
      for (const note of outcome.notes) print(`  ${note}`)
      for (const finding of findings(outcome)) print(`  ! ${finding}`)
    }
    left.push(...(await world.stopServices()).map((name) => `${name} did not end by itself`))
    left.push(...(await leftSignedIn(world)))
  } finally {
    await world.close(options.keep || left.length > 0 || !outcomes.every(isClean))
  }
  left.push(...(await leftRunning(world.runId)))
  print(`\n${table(outcomes)}`)
  print(`\nleft over at the end: ${left.length === 0 ? 'nothing' : left.join('; ')}`)
  return left.length === 0 && outcomes.every(isClean)
}

try {
  const isFine = await chaos(readOptions(process.argv.slice(2)))
  process.exit(isFine ? 0 : 1)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n\n${USAGE}`)
  process.exit(2)
}
