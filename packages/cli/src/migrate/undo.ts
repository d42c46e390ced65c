// Reverts a migration: only the steps in its journal, the last one first.

import { isSwitchyardError } from '@switchyard/contracts'
import type { Journal, Step } from './journal.ts'
import type { Outcome } from './steps.ts'
import type { SwitchyardClient } from './switchyard-client.ts'

export type UndoDeps = {
  readonly switchyard: SwitchyardClient
  readonly journal: Journal
  readonly report: (outcome: Outcome) => void
}

const ALREADY_DELETED = new Set<string>(['project_not_found', 'sandbox_not_found'])

/**
 * Deletes a project or sandbox and records that in the journal.
 *
 * @returns false if it cannot be deleted, after reporting why
 */
const revert = async (deps: UndoDeps, what: string, remove: () => Promise<void>): Promise<boolean> => {
  const { journal, report } = deps
  try {
    await remove()
  } catch (error) {
    if (!isSwitchyardError(error)) throw error
    if (!ALREADY_DELETED.has(error.code)) {
      report({ kind: 'left', what, message: `stays: ${error.message}. ${error.hint}` })
      return false
    }
  }
  await journal.add({ step: 'undone', what })
  report({ kind: 'done', what, message: 'is deleted' })
  return true
}

/**
 * Deletes a sandbox that the migration created, also if a failure or crash prevented its import.
 */
const deleteCreatedSandbox = async ({ switchyard, journal }: UndoDeps, id: string, name: string): Promise<void> => {
  const isSame = (step: { readonly project_id: string; readonly name: string }) =>
    step.project_id === id && step.name === name
  const isEmpty = journal.has('made', isSame) && !journal.has('imported', isSame)
  await switchyard.deleteImported(id, name).catch(async (error: unknown) => {
    if (!isEmpty || !isSwitchyardError(error, 'work_would_be_lost')) throw error
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
  if (existed) deps.report({ kind: 'info', what, message: 'existed before the migration and stays' })
  if (existed || !(await revert(deps, what, () => deleteCreatedSandbox(deps, id, name)))) kept.add(id)
}

const undoStep = async (deps: UndoDeps, step: Step, kept: Set<string>): Promise<void> => {
  const { switchyard, journal } = deps
  if (step.step === 'sandbox') await undoSandbox(deps, step, kept)
  if (step.step === 'registered') {
    const { key, project_id: id } = step
    if (journal.has('undone', (found) => found.what === id)) return
    if (journal.find('project', (found) => found.key === key)?.existed) {
      const withKey = journal.has('key', (found) => found.project_id === id) ? ', with the migrated key' : ''
      deps.report({ kind: 'info', what: key, message: `was registered before the migration and stays${withKey}` })
      return
    }
    // Destroying a project also deletes its deploy key.
    if (!kept.has(id)) await revert(deps, id, () => switchyard.destroy(id))
    else deps.report({ kind: 'left', what: id, message: 'stays, because one of its sandboxes does' })
  }
}

/**
 * Reverts every step of the journal. Keeps and reports what was changed since. Safe to run again.
 */
export const undo = async (deps: UndoDeps): Promise<void> => {
  const kept = new Set<string>()
  for (const step of [...deps.journal.steps].reverse()) await undoStep(deps, step, kept)
}
