// Does what a plan says, step by step. Each step is in the journal before or after it, so that a run that broke off is gone on with.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isSwitchyardError, type ProjectInfo } from '@switchyard/contracts'
import { bundleHead } from '@switchyard/git'
import type { PlannedProject } from './plan.ts'
import { register } from './register.ts'
import type { PlannedSandbox } from './sandboxes.ts'
import { attempt, type ExecuteDeps } from './steps.ts'

/** Small first: what the remote has is left out. A repository that has less of it gets all. */
const upload = async ({ switchyard }: ExecuteDeps, id: string, { name, directory }: PlannedSandbox) => {
  const place = await mkdtemp(path.join(tmpdir(), 'switchyard-migrate-'))
  const file = path.join(place, 'head.bundle')
  try {
    await bundleHead(directory, file, { isThin: true })
    return await switchyard.importBundle(id, name, file).catch(async (error: unknown) => {
      if (!isSwitchyardError(error, 'bundle_incomplete')) throw error
      await bundleHead(directory, file, { isThin: false })
      return await switchyard.importBundle(id, name, file)
    })
  } finally {
    await rm(place, { recursive: true, force: true })
  }
}

/** @throws SwitchyardError `sandbox_exists` where one of that name is there, on another branch */
const makeSandbox = async ({ switchyard, journal }: ExecuteDeps, project: ProjectInfo, sandbox: PlannedSandbox) => {
  const { project_id: id, worktrees } = project
  const { name, branch } = sandbox
  const isIt = (step: { readonly project_id: string; readonly name: string }) =>
    step.project_id === id && step.name === name
  const known = journal.find('sandbox', isIt)
  const existed = known?.existed ?? worktrees.some((found) => found.name === name)
  if (!known) await journal.add({ step: 'sandbox', project_id: id, name, existed })
  await switchyard.createSandbox(id, name, branch)
  if (!existed && !journal.has('made', isIt)) await journal.add({ step: 'made', project_id: id, name })
}

const convert = async (
  deps: ExecuteDeps,
  project: ProjectInfo,
  sandbox: PlannedSandbox,
  what: string,
): Promise<void> => {
  const { journal, tell, unsaved } = deps
  const { name, branch, directory } = sandbox
  const { project_id: id } = project
  if (unsaved.has(directory)) {
    tell({ kind: 'left', what, message: `${directory} could not be saved, so nothing is done with it` })
    return
  }
  if (journal.has('imported', (step) => step.project_id === id && step.name === name)) {
    tell({ kind: 'done', what, message: 'was made before' })
    return
  }
  await makeSandbox(deps, project, sandbox)
  const { head, changed } = await upload(deps, id, sandbox)
  await journal.add({ step: 'imported', project_id: id, name, head })
  const changes = changed === 0 ? 'no changes' : `${changed} changed ${changed === 1 ? 'file' : 'files'}`
  tell({ kind: 'done', what, message: `is on ${branch} at ${head.slice(0, 12)}, with ${changes}` })
}

/** Migrates one project after another; reports a failure and continues with the next. */
export const execute = async (deps: ExecuteDeps, projects: readonly PlannedProject[]): Promise<void> => {
  for (const project of projects) {
    const info = await attempt(deps, project.key, () => register(deps, project))
    if (info === undefined) {
      for (const { name } of project.sandboxes)
        deps.tell({ kind: 'left', what: `sandbox ${name} of ${project.key}`, message: 'waits for its project' })
      continue
    }
    for (const sandbox of project.sandboxes) {
      const what = `sandbox ${sandbox.name} of ${project.key}`
      await attempt(deps, what, () => convert(deps, info, sandbox, what))
    }
  }
}
