// The command `switchyard migrate`: shows the plan, executes it, or reverts an executed one.

import { parseArgs } from 'node:util'
import { type Terminal, UsageError } from '../terminal.ts'
import { Diagnostics } from './diagnostics.ts'
import { formatPlan, planToJson } from './format-plan.ts'
import { inspectProjects } from './inspect-projects.ts'
import { createMigrationPlan, type Plan } from './plan.ts'
import { type LegacyTree, readLegacyTree } from './read/legacy-tree.ts'
import { runMigration, runUndo } from './run-migration.ts'

const HELP = `switchyard migrate [--from <directory>]              show the plan
switchyard migrate [--from <directory>] --execute    migrate
switchyard migrate --undo <backup>                   revert a migration

Migrates the projects of an older OpenCode manager to Switchyard. Without --execute it only shows the plan.
It never writes into the older manager's directory and never stops a process.

  --from <directory>    the older manager's directory (default: ~/.memory)
  --json                print the plan as JSON
  --execute             back up, then migrate; run it again to continue after a failure
  --backup <directory>  directory for the backup and the journal (default: ./switchyard-migration-<time>)
  --undo <backup>       revert the steps in that backup's journal, and nothing else
  --shared              run all projects on the shared server, without their former ports and passwords
  --managed             let Switchyard clone every repository and store every deploy key, instead of using
                        your own checkouts and keys where they are
  --url <url>           Switchyard's address (default: http://127.0.0.1:3456)

If Switchyard has API keys, set SWITCHYARD_API_KEY to an operator's token.

Exit code: 0 success, 1 failure, 2 invalid usage, 3 partial success.
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

const expandHome = (given: string, { env }: Terminal): string => given.replace(/^~(?=\/|$)/, env.HOME ?? '~')

const portOf = (url: string): number => {
  if (!URL.canParse(url)) throw new UsageError(`--url ${url} is not a URL; use a form such as http://127.0.0.1:3456`)
  const { port, protocol } = new URL(url)
  return Number(port || (protocol === 'https:' ? 443 : 80))
}

type Planned = { readonly tree: LegacyTree; readonly plan: Plan; readonly diagnostics: Diagnostics }

const createPlan = async (values: Values, terminal: Terminal): Promise<Planned> => {
  const from = expandHome(values.from, terminal)
  const diagnostics = new Diagnostics()
  const tree = await readLegacyTree(from, diagnostics)
  if (tree === null) throw new UsageError(`${from} is not a directory; set --from to the older manager's directory`)
  const options = { isShared: values.shared, isManaged: values.managed, switchyardPort: portOf(values.url) }
  return { tree, diagnostics, plan: createMigrationPlan(tree, await inspectProjects(tree), options, diagnostics) }
}

/**
 * Runs `switchyard migrate`.
 *
 * @returns the exit code
 * @throws UsageError for invalid arguments
 */
export const migrate = async (args: readonly string[], terminal: Terminal): Promise<number> => {
  const values = parse(args)
  if (values.help) {
    terminal.out.write(HELP)
    return 0
  }
  const address = { url: values.url, key: terminal.env.SWITCHYARD_API_KEY || undefined }
  portOf(values.url)
  if (values.undo !== undefined) return await runUndo(values.undo, address, terminal)
  const planned = await createPlan(values, terminal)
  if (!values.execute) {
    terminal.out.write(values.json ? planToJson(planned.plan) : formatPlan(planned.plan))
    return 0
  }
  return await runMigration({ ...planned, address, backup: values.backup }, terminal)
}
