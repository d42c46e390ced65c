// Registers a project, or finds it registered, and gives a new one the key, port and password that it had.

import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSwitchyardError, type ProjectInfo, type StartedProject, type StartProject } from '@switchyard/contracts'
import { keyOf } from './identity.ts'
import type { PlannedProject } from './plan.ts'
import { attempt, type ExecuteDeps } from './steps.ts'

/** A large repository is cloned in the background; it is looked at so often and so long, ms. */
const LOOK_EVERY_MS = 2_000
const CLONE_MS = 60 * 60_000

/** Gives a project that cannot be reached yet, or is new, the key that it had. @returns how it stands then */
const giveKey = async (
  { switchyard, journal, tell }: ExecuteDeps,
  { key: what, gitUrl, sshKey }: PlannedProject,
  started: StartedProject,
  existed: boolean,
): Promise<StartedProject> => {
  const { project_id: id, status } = started
  if (sshKey === null || journal.has('key', (step) => step.project_id === id)) return started
  if (existed && status !== 'waiting_for_key') {
    tell({ kind: 'told', what, message: 'was reached before: its key stays the one that it has' })
    return started
  }
  if (!sshKey.isHandedOver) {
    // A new one was registered with it.
    if (!existed) return started
    const again = await switchyard.start({ git_url: gitUrl, user_ssh_key: sshKey.path })
    await journal.add({ step: 'key', project_id: id })
    tell({ kind: 'done', what, message: `works with the key ${sshKey.path}` })
    return again
  }
  try {
    await switchyard.setKey(id, await readFile(sshKey.path, 'utf8'))
  } catch (error) {
    if (!isSwitchyardError(error, 'deploy_key_invalid')) throw error
    tell({ kind: 'left', what, message: `its deploy key ${sshKey.path} was not accepted: ${error.message}` })
    return started
  }
  await journal.add({ step: 'key', project_id: id })
  tell({ kind: 'done', what, message: 'has its deploy key' })
  return await switchyard.start({ git_url: gitUrl })
}

const whenReady = async ({ switchyard }: ExecuteDeps, id: string): Promise<ProjectInfo> => {
  const deadline = Date.now() + CLONE_MS
  for (;;) {
    const info = await switchyard.project(id)
    if (info.status !== 'starting' || Date.now() > deadline) return info
    await sleep(LOOK_EVERY_MS)
  }
}

/** One that was registered before is somebody's as it is: nothing is set on it that could not be put back. */
const settingsFor = (project: PlannedProject, existed: boolean): StartProject => {
  const { gitUrl, name, port, baseDir, model, sshKey } = project
  if (existed) return { git_url: gitUrl }
  return {
    git_url: gitUrl,
    name,
    isolation: port === null ? 'shared' : 'dedicated',
    ...(baseDir === null ? {} : { base_dir: baseDir }),
    ...(model === null ? {} : { model }),
    ...(sshKey?.isHandedOver === false ? { user_ssh_key: sshKey.path } : {}),
  }
}

/** What of its former settings a project that was registered before did not get. */
const tellSettings = ({ tell }: ExecuteDeps, project: PlannedProject, info: ProjectInfo): void => {
  const { key: what, port, password, model } = project
  const left = [
    ...(port === null || port === info.port ? [] : [`a server of its own on port ${port}`]),
    ...(password === null ? [] : ['the password of its server']),
    ...(model === null || model === info.model ? [] : [`the model ${model}`]),
  ]
  if (left.length === 0) return
  const id = info.project_id
  tell({
    kind: 'told',
    what,
    message: `was registered before and keeps its settings. Not applied: ${left.join(', ')}. To apply them, use opencode_project_start for isolation and model, PUT /servers/${id} for the port and PUT /servers/${id}/password for the password`,
  })
}

/** What callers of its former server know: the port, and the password. */
const keepAddress = async (deps: ExecuteDeps, project: PlannedProject, id: string): Promise<void> => {
  const { key: what, port, password } = project
  if (port === null) return
  const { switchyard, tell } = deps
  const server = await attempt(deps, `port ${port} of ${what}`, () => switchyard.setPort(id, port))
  if (server?.kind === 'container')
    tell({
      kind: 'told',
      what,
      message: `has its server in a container, which only the stack itself reaches: nothing listens on port ${port} of this host any more. Ask for its sessions through Switchyard`,
    })
  else if (server) tell({ kind: 'done', what, message: `keeps its port ${port}` })
  if (password === null) return
  const isKept = await attempt(deps, `password of ${what}`, async () => {
    await switchyard.setPassword(id, password)
    return true
  })
  if (isKept) tell({ kind: 'done', what, message: 'keeps its password' })
}

/** @returns the project as it is, where sandboxes can be made on it now */
export const register = async (deps: ExecuteDeps, project: PlannedProject): Promise<ProjectInfo | undefined> => {
  const { switchyard, journal, tell } = deps
  const known = journal.find('project', (step) => step.key === project.key)
  const isThere = ({ git_url: url }: ProjectInfo) => keyOf(url) === keyOf(project.gitUrl)
  const existed = known?.existed ?? (await switchyard.projects()).some(isThere)
  if (!known) await journal.add({ step: 'project', key: project.key, git_url: project.gitUrl, existed })
  const first = await switchyard.start(settingsFor(project, existed))
  const { project_id: id } = first
  if (!journal.has('registered', (step) => step.project_id === id))
    await journal.add({ step: 'registered', key: project.key, project_id: id })
  const started = await giveKey(deps, project, first, existed)
  if (started.status === 'waiting_for_key') {
    const message = `waits for its key to be accepted: ${started.next_step ?? started.message}\n${started.public_key ?? ''}`
    tell({ kind: 'left', what: project.key, message: message.trim() })
    return undefined
  }
  const info = await whenReady(deps, id)
  if (info.status !== 'ready') {
    tell({ kind: 'left', what: project.key, message: `is ${info.status}${info.detail ? `: ${info.detail}` : ''}` })
    return undefined
  }
  tell({
    kind: 'done',
    what: project.key,
    message: `is registered${existed ? ' (it was before)' : ''}, in ${info.base_dir}`,
  })
  if (project.baseDir !== null && info.base_dir !== project.baseDir)
    tell({
      kind: 'left',
      what: project.key,
      message: `works in ${info.base_dir} and not in your checkout ${project.baseDir}, in which nothing was changed. Run it again with --managed to carry its work over.`,
    })
  if (existed) tellSettings(deps, project, info)
  else await keepAddress(deps, project, id)
  return info
}
