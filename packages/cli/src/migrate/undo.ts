// Takes back what a migration did, and only that: from its journal, the last step first.

import { rm } from 'node:fs/promises'
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
    if (kept.has(id) || !(await takeBack(deps, id, () => switchyard.destroy(id)))) kept.add(key)
  }
  if (step.step === 'key' && !isDone(step.path)) {
    // A project that stays needs its key.
    if (kept.size > 0) deps.tell({ kind: 'left', what: step.path, message: 'stays while a project does' })
    else await takeBack(deps, step.path, () => rm(step.path, { force: true }))
  }
}

/** What somebody has worked in since stays, and is told. Safe to run again. */
export const undo = async (deps: UndoDeps): Promise<void> => {
  const kept = new Set<string>()
  const steps = [...deps.journal.steps].reverse()
  // A key is named before its project is registered: keys come last, whatever the order.
  for (const step of steps) if (step.step !== 'key') await undoStep(deps, step, kept)
  for (const step of steps) if (step.step === 'key') await undoStep(deps, step, kept)
}
