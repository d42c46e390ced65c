// `npm run chaos`: injects faults into the running system and prints a table of the outcome. Exit
// code 1 if anything was lost, run twice, reported twice or left behind.

import { findRegisteredWorkers, findRunningProcesses } from './leftovers.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { isClean, type Outcome, runScenario } from './run-scenario.ts'
import { SCENARIOS } from './scenarios/index.ts'
import { startSystem } from './system.ts'
import { formatTable, listProblems } from './table.ts'
import { whyNoValkey } from './valkey.ts'

const print = (text = ''): void => void process.stdout.write(`${text}\n`)

const chaos = async (options: Options): Promise<boolean> => {
  const missing = await whyNoValkey()
  if (missing !== undefined) {
    print(`skipped: ${missing}`)
    return true
  }
  const system = await startSystem()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void system.close(true).finally(() => process.exit(130)))
  const outcomes: Outcome[] = []
  const left: string[] = []
  try {
    await system.restoreServices()
    print(`run ${system.runId}, seed ${options.seed}, in ${system.home}`)
    for (const scenario of SCENARIOS.filter((each) => options.scenarios.includes(each.name))) {
      const times = options.times ?? (options.short ? scenario.times.short : scenario.times.full)
      print(`\n${scenario.name} × ${times}: ${scenario.what}`)
      const outcome = await runScenario(system, scenario, {
        seed: options.seed,
        times,
        isShort: options.short,
        log: (text) => print(`  ${text}`),
      })
      outcomes.push(outcome)
      for (const note of outcome.notes) print(`  ${note}`)
      for (const problem of listProblems(outcome)) print(`  ! ${problem}`)
    }
    left.push(...(await system.stopServices()).map((name) => `${name} did not stop on SIGTERM`))
    left.push(...(await findRegisteredWorkers(system)))
  } finally {
    await system.close(options.keep || left.length > 0 || !outcomes.every(isClean))
  }
  left.push(...(await findRunningProcesses(system.runId)))
  print(`\n${formatTable(outcomes)}`)
  print(`\nleft behind: ${left.length === 0 ? 'nothing' : left.join('; ')}`)
  return left.length === 0 && outcomes.every(isClean)
}

try {
  const hasPassed = await chaos(readOptions(process.argv.slice(2)))
  process.exit(hasPassed ? 0 : 1)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n\n${USAGE}`)
  process.exit(2)
}
