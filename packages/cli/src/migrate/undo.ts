// Takes back what a migration did, and only that: from its journal, the last step first.

import { isSwitchyardError } from '@switchyard/contracts'
import type { Outcome } from './execute.ts'
import type { Journal, Step } from './journal.ts'
import type { Switchyard } from './switchyard.ts'

export type UndoDeps = {
  readonly switchyard: Switchyard
  readonly journal: Journal
  readonly tell: (outcome: Outcome) => void
}

const GONE = new Set<string>(['project_not_found', 'sandbox_not_found'])

/** @returns false where it must stay, and why was told */
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

const undoStep = async (deps: UndoDeps, step: Step, kept: Set<string>): Promise<void> => {
  const { switchyard, journal } = deps
  const isDone = (what: string) => journal.has('undone', (found) => found.what === what)
  if (step.step === 'sandbox') {
    const what = `sandbox ${step.name} of ${step.project_id}`
    if (isDone(what)) return
    const isGone = await takeBack(deps, what, () => switchyard.deleteImported(step.project_id, step.name))
    if (!isGone) kept.add(step.project_id)
  }
  if (step.step === 'registered') {
    const { key, project_id: id } = step
    if (isDone(id)) return
    if (journal.find('project', (found) => found.key === key)?.existed) {
      deps.tell({ kind: 'told', what: key, message: 'was registered before the migration and stays' })
      return
    }
    // Its deploy key goes with it.
    if (!kept.has(id)) await takeBack(deps, id, () => switchyard.destroy(id))
  }
}

/** What somebody has worked in since stays, and is told. Safe to run again. */
export const undo = async (deps: UndoDeps): Promise<void> => {
  const kept = new Set<string>()
  for (const step of [...deps.journal.steps].reverse()) await undoStep(deps, step, kept)
}
