// Runs a whole migration or undo: connects, backs up, opens the journal, runs the steps and prints
// the results.

import { mkdir, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { type Terminal, UsageError } from '../terminal.ts'
import { type BackupResult, createBackup, requireOutside } from './backup.ts'
import type { Diagnostics } from './diagnostics.ts'
import { execute } from './execute.ts'
import { formatPlan } from './format-plan.ts'
import { Journal } from './journal.ts'
import type { Plan } from './plan.ts'
import type { LegacyTree } from './read/legacy-tree.ts'
import type { Outcome } from './steps.ts'
import { SwitchyardClient } from './switchyard-client.ts'
import { undo } from './undo.ts'

export type Address = { readonly url: string; readonly key: string | undefined }

type Migration = {
  readonly tree: LegacyTree
  readonly plan: Plan
  readonly diagnostics: Diagnostics
  readonly address: Address
  readonly backup: string | undefined
}

const PREFIX = 'switchyard-migration-'

/**
 * The migration sends passwords and commits, so it uses unencrypted HTTP on the same machine only.
 */
const requireSecureUrl = ({ url }: Address): void => {
  const { protocol, hostname } = new URL(url)
  if (protocol !== 'https:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
    throw new UsageError(
      `--url ${url} would send passwords unencrypted; use https, or run the command on Switchyard's machine`,
    )
}

const isIncomplete = (journal: Journal, from: string): boolean =>
  journal.has('begun', (step) => step.from === from) &&
  !journal.has('undone') &&
  !journal.has('ended', ({ isComplete }) => isComplete)

/**
 * Returns the given directory, else the latest incomplete backup in this directory, else a new one.
 */
const chooseBackup = async (given: string | undefined, from: string): Promise<string> => {
  if (given !== undefined) return path.resolve(given)
  const names = (await readdir('.')).filter((name) => name.startsWith(PREFIX)).toSorted()
  for (const name of names.toReversed()) if (isIncomplete(await Journal.open(name), from)) return path.resolve(name)
  const time = new Date().toISOString().replaceAll(/[-:]|\..*$/g, '')
  return path.resolve(`${PREFIX}${time}`)
}

const openJournal = async (backup: string, from: string, url: string): Promise<Journal> => {
  await mkdir(backup, { recursive: true, mode: 0o700 })
  const journal = await Journal.open(backup)
  const begun = journal.find('begun')
  if (journal.has('undone'))
    throw new UsageError(`the migration in ${backup} was undone; choose another directory with --backup`)
  if (begun && begun.from !== from)
    throw new UsageError(`${backup} is the backup of ${begun.from}; choose another directory with --backup`)
  if (!begun && (await readdir(backup)).length > 0)
    throw new UsageError(`${backup} contains other files; choose an empty directory with --backup`)
  if (!begun) await journal.add({ step: 'begun', from, url })
  return journal
}

type Reporter = {
  readonly report: (outcome: Outcome) => void
  /** Returns how many outcomes of kind `left` were reported. */
  readonly left: () => number
}

const createReporter = (terminal: Terminal): Reporter => {
  let left = 0
  return {
    report: ({ kind, what, message }) => {
      if (kind === 'left') left += 1
      terminal.out.write(`${kind === 'left' ? 'LEFT  ' : kind === 'done' ? 'done  ' : '      '}${what} ${message}\n`)
    },
    left: () => left,
  }
}

/**
 * Backs up the older manager and executes the plan, or continues an interrupted run.
 *
 * @returns the exit code: 0 if everything is migrated, 3 if something is left
 */
export const runMigration = async (migration: Migration, terminal: Terminal): Promise<number> => {
  const { tree, plan, diagnostics, address } = migration
  requireSecureUrl(address)
  const backup = await chooseBackup(migration.backup, tree.root)
  await requireOutside(tree.root, backup, '--backup')
  // Connect before writing anything: Switchyard may be unreachable.
  const switchyard = await SwitchyardClient.connect(address.url, address.key)
  try {
    const journal = await openJournal(backup, tree.root, address.url)
    terminal.out.write(`${formatPlan(plan)}\nbackup and journal: ${backup}\n`)
    const printed = diagnostics.all.length
    // Each run saves into a new directory, because the clones may have changed since the last one.
    const target = path.join(backup, `saved-${journal.steps.filter(({ step }) => step === 'saved').length + 1}`)
    const { unsaved }: BackupResult = await createBackup(plan, tree, target, diagnostics, (name) =>
      terminal.err.write(`saving ${name}\n`),
    )
    for (const { where, message } of diagnostics.all.slice(printed)) terminal.out.write(`LEFT  ${where}: ${message}\n`)
    await journal.add({ step: 'saved' })
    const { report, left } = createReporter(terminal)
    await execute({ switchyard, journal, unsaved, report }, plan.projects)
    const isComplete = left() === 0
    await journal.add({ step: 'ended', isComplete })
    const again = isComplete
      ? ''
      : `${left()} left: resolve the LEFT lines above and run the command again with --backup ${backup}\n`
    terminal.out.write(`${again}to revert: switchyard migrate --undo ${backup}\n`)
    return isComplete ? 0 : 3
  } finally {
    await switchyard.close()
  }
}

/**
 * Reverts the steps in a backup's journal.
 *
 * @returns the exit code: 0 if everything is reverted, 3 if something is left
 */
export const runUndo = async (backup: string, address: Address, terminal: Terminal): Promise<number> => {
  requireSecureUrl(address)
  if (!(await stat(backup).catch(() => undefined))?.isDirectory())
    throw new UsageError(`${backup} is not a directory; set --undo to the backup of a migration`)
  const journal = await Journal.open(path.resolve(backup))
  if (!journal.has('begun'))
    throw new UsageError(`${backup} contains no migration journal; set --undo to the backup of a migration`)
  const switchyard = await SwitchyardClient.connect(address.url, address.key)
  try {
    const { report, left } = createReporter(terminal)
    await undo({ switchyard, journal, report })
    terminal.out.write(
      left() === 0
        ? 'the migration is reverted; the backup stays\n'
        : `${left()} left: resolve the LEFT lines above and run the command again\n`,
    )
    return left() === 0 ? 0 : 3
  } finally {
    await switchyard.close()
  }
}
