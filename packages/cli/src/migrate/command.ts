// `switchyard migrate`: shows what it would do, does it, or takes it back.

import { parseArgs } from 'node:util'
import { type Terminal, UsageError } from '../terminal.ts'
import { Findings } from './findings.ts'
import { lookAtTree } from './look.ts'
import { makePlan, type Plan } from './plan.ts'
import { readLegacyTree } from './read/tree.ts'
import { planAsJson, planAsText } from './report.ts'

const HELP = `switchyard migrate --from <directory> [options]

Reads the state of an older OpenCode manager and shows what a migration would do. Nothing is changed, the older
manager's tree is never written into, and no process is stopped.

  --from <directory>    the older manager's directory (default: ~/.memory)
  --json                the plan as JSON
  --shared              all projects on Switchyard's shared server: ports and passwords stay behind
  --managed             let Switchyard clone every repository, also where an entry names a checkout of your own
  --url <url>           where Switchyard listens (default: http://127.0.0.1:3456)
`

const OPTIONS = {
  from: { type: 'string', default: '~/.memory' },
  json: { type: 'boolean', default: false },
  shared: { type: 'boolean', default: false },
  managed: { type: 'boolean', default: false },
  url: { type: 'string', default: 'http://127.0.0.1:3456' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true }).values
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}\n\n${HELP}`)
  }
}

type Values = ReturnType<typeof parse>

const planFor = async (values: Values, terminal: Terminal): Promise<Plan> => {
  const home = terminal.env.HOME ?? ''
  const from = values.from.replace(/^~(?=\/|$)/, home)
  if (!URL.canParse(values.url)) throw new UsageError(`--url ${values.url} is no URL`)
  const findings = new Findings()
  const tree = await readLegacyTree(from, findings)
  if (tree === null) throw new UsageError(`there is no directory ${from}; name it with --from`)
  const url = new URL(values.url)
  const options = {
    isShared: values.shared,
    isManaged: values.managed,
    switchyardPort: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
  }
  return makePlan(tree, await lookAtTree(tree), options, findings)
}

/** See HELP. */
export const migrate = async (args: readonly string[], terminal: Terminal): Promise<number> => {
  const values = parse(args)
  if (values.help) {
    terminal.out.write(HELP)
    return 0
  }
  const plan = await planFor(values, terminal)
  terminal.out.write(values.json ? planAsJson(plan) : planAsText(plan))
  return 0
}
