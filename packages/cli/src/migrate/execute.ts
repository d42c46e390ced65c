// Executes a plan step by step. The journal records each step, so that an interrupted run continues
// where it stopped.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isSwitchyardError, type ProjectInfo } from '@switchyard/contracts'
import { bundleHead } from '@switchyard/git'
import type { PlannedProject } from './plan.ts'
import type { PlannedSandbox } from './plan-sandboxes.ts'
import { registerProject } from './register-project.ts'
import { attempt, type ExecuteDeps } from './steps.ts'

/**
 * Uploads a checkout's commits and uncommitted changes. The first attempt leaves out the commits
 * that the remote has; if Switchyard's clone lacks some of them, the second sends everything.
 */
const upload = async ({ switchyard }: ExecuteDeps, id: string, { name, directory }: PlannedSandbox) => {
  const temporary = await mkdtemp(path.join(tmpdir(), 'switchyard-migrate-'))
  const file = path.join(temporary, 'head.bundle')
  try {
    await bundleHead(directory, file, { isThin: true })
    return await switchyard.importBundle(id, name, file).catch(async (error: unknown) => {
      if (!isSwitchyardError(error, 'bundle_incomplete')) throw error
      await bundleHead(directory, file, { isThin: false })
      return await switchyard.importBundle(id, name, file)
    })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** @throws SwitchyardError `sandbox_exists` if a sandbox with that name is on another branch */
const createSandbox = async ({ switchyard, journal }: ExecuteDeps, project: ProjectInfo, sandbox: PlannedSandbox) => {
  const { project_id: id, worktrees } = project
  const { name, branch } = sandbox
  const isSame = (step: { readonly project_id: string; readonly name: string }) =>
    step.project_id === id && step.name === name
  const known = journal.find('sandbox', isSame)
  const existed = known?.existed ?? worktrees.some((found) => found.name === name)
  if (!known) await journal.add({ step: 'sandbox', project_id: id, name, existed })
  await switchyard.createSandbox(id, name, branch)
  if (!existed && !journal.has('made', isSame)) await journal.add({ step: 'made', project_id: id, name })
}

const migrateSandbox = async (
  deps: ExecuteDeps,
  project: ProjectInfo,
  sandbox: PlannedSandbox,
  what: string,
): Promise<void> => {
  const { journal, report, unsaved } = deps
  const { name, branch, directory } = sandbox
  const { project_id: id } = project
  if (unsaved.has(directory)) {
    report({ kind: 'left', what, message: `not created, because ${directory} could not be saved` })
    return
  }
  if (journal.has('imported', (step) => step.project_id === id && step.name === name)) {
    report({ kind: 'done', what, message: 'was created by an earlier run' })
    return
  }
  await createSandbox(deps, project, sandbox)
  const { head, changed } = await upload(deps, id, sandbox)
  await journal.add({ step: 'imported', project_id: id, name, head })
  const changes = changed === 0 ? 'no changes' : `${changed} changed ${changed === 1 ? 'file' : 'files'}`
  report({ kind: 'done', what, message: `is on ${branch} at ${head.slice(0, 12)}, with ${changes}` })
}

/** Migrates one project after another. Reports a failure and continues with the next one. */
export const execute = async (deps: ExecuteDeps, projects: readonly PlannedProject[]): Promise<void> => {
  for (const project of projects) {
    const info = await attempt(deps, project.key, () => registerProject(deps, project))
    if (info === undefined) {
      for (const { name } of project.sandboxes)
        deps.report({
          kind: 'left',
          what: `sandbox ${name} of ${project.key}`,
          message: 'not created, because its project is not ready',
        })
      continue
    }
    for (const sandbox of project.sandboxes) {
      const what = `sandbox ${sandbox.name} of ${project.key}`
      await attempt(deps, what, () => migrateSandbox(deps, info, sandbox, what))
    }
  }
}
