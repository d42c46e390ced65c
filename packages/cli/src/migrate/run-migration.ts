// A migration from its backup to its last step, and its undoing: what is around the steps themselves.

import { mkdir, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { type Terminal, UsageError } from '../terminal.ts'
import { backUp, requireOutside, type Saved } from './backup.ts'
import { execute } from './execute.ts'
import type { Findings } from './findings.ts'
import { Journal } from './journal.ts'
import type { Plan } from './plan.ts'
import type { LegacyTree } from './read/tree.ts'
import { planAsText } from './report.ts'
import type { Outcome } from './steps.ts'
import { Switchyard } from './switchyard.ts'
import { undo } from './undo.ts'

export type Address = { readonly url: string; readonly key: string | undefined }

type Migration = {
  readonly tree: LegacyTree
  readonly plan: Plan
  readonly findings: Findings
  readonly at: Address
  readonly backup: string | undefined
}

const PREFIX = 'switchyard-migration-'

/** Passwords and commits go there: over the network only where nobody can listen. */
const requireSafe = ({ url }: Address): void => {
  const { protocol, hostname } = new URL(url)
  if (protocol !== 'https:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
    throw new UsageError(
      `--url ${url} would send passwords in clear; use https, or run this on Switchyard’s own machine`,
    )
}

const isOpenFor = (journal: Journal, from: string): boolean =>
  journal.has('begun', (step) => step.from === from) &&
  !journal.has('undone') &&
  !journal.has('ended', ({ isComplete }) => isComplete)

/** The one given; else the latest here that is not complete; else a new one. */
const chooseBackup = async (given: string | undefined, from: string): Promise<string> => {
  if (given !== undefined) return path.resolve(given)
  const names = (await readdir('.')).filter((name) => name.startsWith(PREFIX)).toSorted()
  for (const name of names.toReversed()) if (isOpenFor(await Journal.open(name), from)) return path.resolve(name)
  const time = new Date().toISOString().replaceAll(/[-:]|\..*$/g, '')
  return path.resolve(`${PREFIX}${time}`)
}

const openJournal = async (backup: string, from: string, url: string): Promise<Journal> => {
  await mkdir(backup, { recursive: true, mode: 0o700 })
  const journal = await Journal.open(backup)
  const begun = journal.find('begun')
  if (journal.has('undone')) throw new UsageError(`the migration in ${backup} was undone; name another --backup`)
  if (begun && begun.from !== from)
    throw new UsageError(`${backup} is the backup of ${begun.from}; name another --backup`)
  if (!begun && (await readdir(backup)).length > 0)
    throw new UsageError(`${backup} holds something else; name another --backup`)
  if (!begun) await journal.add({ step: 'begun', from, url })
  return journal
}

const teller = (terminal: Terminal): { readonly tell: (outcome: Outcome) => void; readonly left: () => number } => {
  let left = 0
  return {
    tell: ({ kind, what, message }) => {
      if (kind === 'left') left += 1
      terminal.out.write(`${kind === 'left' ? 'LEFT  ' : kind === 'done' ? 'done  ' : '      '}${what} ${message}\n`)
    },
    left: () => left,
  }
}

/** @returns the exit code */
export const runMigration = async (migration: Migration, terminal: Terminal): Promise<number> => {
  const { tree, plan, findings, at } = migration
  requireSafe(at)
  const backup = await chooseBackup(migration.backup, tree.root)
  await requireOutside(tree.root, backup, '--backup')
  // Before anything is written: it may not be there.
  const switchyard = await Switchyard.connect(at.url, at.key)
  try {
    const journal = await openJournal(backup, tree.root, at.url)
    terminal.out.write(`${planAsText(plan)}\nbackup and journal: ${backup}\n`)
    const shown = findings.all.length
    // On every run: what was changed in between is saved too, and nothing that was saved is written over.
    const place = path.join(backup, `saved-${journal.steps.filter(({ step }) => step === 'saved').length + 1}`)
    const saved: Saved = await backUp(plan, tree, place, findings, (name) => terminal.err.write(`saving ${name}\n`))
    for (const { where, message } of findings.all.slice(shown)) terminal.out.write(`LEFT  ${where}: ${message}\n`)
    await journal.add({ step: 'saved' })
    const { tell, left } = teller(terminal)
    await execute({ switchyard, journal, unsaved: saved.unsaved, tell }, plan.projects)
    const isComplete = left() === 0
    await journal.add({ step: 'ended', isComplete })
    const again = isComplete ? '' : `${left()} left: see LEFT above, and run it again with --backup ${backup}\n`
    terminal.out.write(`${again}to take it back: switchyard migrate --undo ${backup}\n`)
    return isComplete ? 0 : 3
  } finally {
    await switchyard.close()
  }
}

/** @returns the exit code */
export const runUndo = async (backup: string, at: Address, terminal: Terminal): Promise<number> => {
  requireSafe(at)
  if (!(await stat(backup).catch(() => undefined))?.isDirectory())
    throw new UsageError(`there is no directory ${backup}`)
  const journal = await Journal.open(path.resolve(backup))
  if (!journal.has('begun')) throw new UsageError(`${backup} holds no journal of a migration`)
  const switchyard = await Switchyard.connect(at.url, at.key)
  try {
    const { tell, left } = teller(terminal)
    await undo({ switchyard, journal, tell })
    terminal.out.write(
      left() === 0 ? 'all of it is taken back; the backup stays\n' : `${left()} left: see LEFT above\n`,
    )
    return left() === 0 ? 0 : 3
  } finally {
    await switchyard.close()
  }
}
