// Takes back what a migration did, and only that: from its journal, the last step first.

import { isSwitchyardError } from '@switchyard/contracts'
import type { Journal, Step } from './journal.ts'
import type { Outcome } from './steps.ts'
import type { Switchyard } from './switchyard.ts'

export type UndoDeps = {
  readonly switchyard: Switchyard
  readonly journal: Journal
  readonly tell: (outcome: Outcome) => void
}

const GONE = new Set<string>(['project_not_found', 'sandbox_not_found'])

/** @returns false when it must stay, after reporting why */
const takeBack = async (deps: UndoDeps, what: string, work: () => Promise<void>): Promise<boolean> => {
  const { journal, tell } = deps
  try {
    await work()
  } catch (error) {
    if (!isSwitchyardError(error)) throw error
    if (!GONE.has(error.code)) {
      tell({ kind: 'left', what, message: `stays: ${error.message}. ${error.hint}` })
      return false
    }
  }
  await journal.add({ step: 'undone', what })
  tell({ kind: 'done', what, message: 'is taken back' })
  return true
}

/** One that was made, and that a failure or a crash left without its import, goes as any other. */
const deleteOurs = async ({ switchyard, journal }: UndoDeps, id: string, name: string): Promise<void> => {
  const isIt = (step: { readonly project_id: string; readonly name: string }) =>
    step.project_id === id && step.name === name
  const isBare = journal.has('made', isIt) && !journal.has('imported', isIt)
  await switchyard.deleteImported(id, name).catch(async (error: unknown) => {
    if (!isBare || !isSwitchyardError(error, 'work_would_be_lost')) throw error
    await switchyard.deleteSandbox(id, name)
  })
}

const undoSandbox = async (
  deps: UndoDeps,
  { project_id: id, name, existed }: Extract<Step, { step: 'sandbox' }>,
  kept: Set<string>,
): Promise<void> => {
  const what = `sandbox ${name} of ${id}`
  if (deps.journal.has('undone', (found) => found.what === what)) return
  if (existed) deps.tell({ kind: 'told', what, message: 'was there before the migration and stays' })
  if (existed || !(await takeBack(deps, what, () => deleteOurs(deps, id, name)))) kept.add(id)
}

const undoStep = async (deps: UndoDeps, step: Step, kept: Set<string>): Promise<void> => {
  const { switchyard, journal } = deps
  if (step.step === 'sandbox') await undoSandbox(deps, step, kept)
  if (step.step === 'registered') {
    const { key, project_id: id } = step
    if (journal.has('undone', (found) => found.what === id)) return
    if (journal.find('project', (found) => found.key === key)?.existed) {
      const withKey = journal.has('key', (found) => found.project_id === id) ? ', with the key that it was given' : ''
      deps.tell({ kind: 'told', what: key, message: `was registered before the migration and stays${withKey}` })
      return
    }
    // Its deploy key goes with it.
    if (!kept.has(id)) await takeBack(deps, id, () => switchyard.destroy(id))
    else deps.tell({ kind: 'left', what: id, message: 'stays, for a sandbox of it does' })
  }
}

/** Keeps and reports anything with later work. Safe to run again. */
export const undo = async (deps: UndoDeps): Promise<void> => {
  const kept = new Set<string>()
  for (const step of [...deps.journal.steps].reverse()) await undoStep(deps, step, kept)
}
