// `switchyard migrate`: shows what it would do, does it, or takes it back.

import { parseArgs } from 'node:util'
import { type Terminal, UsageError } from '../terminal.ts'
import { Findings } from './findings.ts'
import { lookAtTree } from './look.ts'
import { makePlan, type Plan } from './plan.ts'
import { type LegacyTree, readLegacyTree } from './read/tree.ts'
import { planAsJson, planAsText } from './report.ts'
import { runMigration, runUndo } from './run-migration.ts'

const HELP = `switchyard migrate [--from <directory>]              show what would be done
switchyard migrate [--from <directory>] --execute    do it
switchyard migrate --undo <backup>                   take it back

Brings the projects of an older OpenCode manager over. Without --execute nothing is changed. The older manager's tree
is never written into, and no process is stopped.

  --from <directory>    the older manager's directory (default: ~/.memory)
  --json                the plan as JSON
  --execute             back everything up, then do it; run it again to go on after a failure
  --backup <directory>  where the backup and the journal go (default: ./switchyard-migration-<time>)
  --undo <backup>       take back what the journal in that backup says was done, and only that
  --shared              all projects on Switchyard's shared server: ports and passwords stay behind
  --managed             let Switchyard clone every repository and keep every deploy key, also where an entry names a checkout or a
                        key of your own elsewhere
  --url <url>           where Switchyard listens (default: http://127.0.0.1:3456); SWITCHYARD_API_KEY is an operator's token

Exit code: 0 done, 1 failed, 2 not understood, 3 done in part.
`

const OPTIONS = {
  from: { type: 'string', default: '~/.memory' },
  json: { type: 'boolean', default: false },
  execute: { type: 'boolean', default: false },
  backup: { type: 'string' },
  undo: { type: 'string' },
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

const inHome = (given: string, { env }: Terminal): string => given.replace(/^~(?=\/|$)/, env.HOME ?? '~')

const portOf = (url: string): number => {
  if (!URL.canParse(url)) throw new UsageError(`--url ${url} is no URL`)
  const { port, protocol } = new URL(url)
  return Number(port || (protocol === 'https:' ? 443 : 80))
}

type Planned = { readonly tree: LegacyTree; readonly plan: Plan; readonly findings: Findings }

const planFor = async (values: Values, terminal: Terminal): Promise<Planned> => {
  const from = inHome(values.from, terminal)
  const findings = new Findings()
  const tree = await readLegacyTree(from, findings)
  if (tree === null) throw new UsageError(`there is no directory ${from}; name it with --from`)
  const options = { isShared: values.shared, isManaged: values.managed, switchyardPort: portOf(values.url) }
  return { tree, findings, plan: makePlan(tree, await lookAtTree(tree), options, findings) }
}

/** See HELP. */
export const migrate = async (args: readonly string[], terminal: Terminal): Promise<number> => {
  const values = parse(args)
  if (values.help) {
    terminal.out.write(HELP)
    return 0
  }
  const at = { url: values.url, key: terminal.env.SWITCHYARD_API_KEY || undefined }
  portOf(values.url)
  if (values.undo !== undefined) return await runUndo(values.undo, at, terminal)
  const planned = await planFor(values, terminal)
  if (!values.execute) {
    terminal.out.write(values.json ? planAsJson(planned.plan) : planAsText(planned.plan))
    return 0
  }
  return await runMigration({ ...planned, at, backup: values.backup }, terminal)
}
