// Registers a project if it is new, and transfers its deploy key, port and password.

import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSwitchyardError, type ProjectInfo, type StartedProject, type StartProject } from '@switchyard/contracts'
import type { PlannedProject } from './plan.ts'
import { repositoryKey } from './repository-urls.ts'
import { attempt, type ExecuteDeps } from './steps.ts'

/** Interval and limit, ms, of waiting for a large repository that is cloned in the background. */
const POLL_MS = 2_000
const CLONE_MS = 60 * 60_000

/**
 * Transfers the deploy key to a project that is new or waits for a key.
 *
 * @returns the project's state afterwards
 */
const transferKey = async (
  { switchyard, journal, report }: ExecuteDeps,
  { key: what, gitUrl, sshKey }: PlannedProject,
  started: StartedProject,
  existed: boolean,
): Promise<StartedProject> => {
  const { project_id: id, status } = started
  if (sshKey === null || journal.has('key', (step) => step.project_id === id)) return started
  if (existed && status !== 'waiting_for_key') {
    report({ kind: 'info', what, message: 'was registered before and is accessible, so it keeps its key' })
    return started
  }
  if (!sshKey.isHandedOver) {
    // The registration of a new project already named the key.
    if (!existed) return started
    const again = await switchyard.start({ git_url: gitUrl, user_ssh_key: sshKey.path })
    await journal.add({ step: 'key', project_id: id })
    report({ kind: 'done', what, message: `uses the key ${sshKey.path}` })
    return again
  }
  try {
    await switchyard.setKey(id, await readFile(sshKey.path, 'utf8'))
  } catch (error) {
    if (!isSwitchyardError(error, 'deploy_key_invalid')) throw error
    report({ kind: 'left', what, message: `its deploy key ${sshKey.path} is invalid: ${error.message}` })
    return started
  }
  await journal.add({ step: 'key', project_id: id })
  report({ kind: 'done', what, message: 'has its deploy key' })
  return await switchyard.start({ git_url: gitUrl })
}

const waitForClone = async ({ switchyard }: ExecuteDeps, id: string): Promise<ProjectInfo> => {
  const deadline = Date.now() + CLONE_MS
  for (;;) {
    const info = await switchyard.project(id)
    if (info.status !== 'starting' || Date.now() > deadline) return info
    await sleep(POLL_MS)
  }
}

/**
 * Returns the settings to register with. A project that already exists keeps its own, because undo
 * could not restore them.
 */
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

/** Reports the former settings that a project did not get because it was registered before. */
const reportUnappliedSettings = ({ report }: ExecuteDeps, project: PlannedProject, info: ProjectInfo): void => {
  const { key: what, port, password, model } = project
  const unapplied = [
    ...(port === null || port === info.port ? [] : [`a dedicated server on port ${port}`]),
    ...(password === null ? [] : ['the password of its server']),
    ...(model === null || model === info.model ? [] : [`the model ${model}`]),
  ]
  if (unapplied.length === 0) return
  const id = info.project_id
  report({
    kind: 'info',
    what,
    message: `was registered before and keeps its settings. Not applied: ${unapplied.join(', ')}. To apply them, use opencode_project_start for isolation and model, PUT /servers/${id} for the port and PUT /servers/${id}/password for the password`,
  })
}

/** Sets the port and the password of the former server, which its callers use. */
const transferPortAndPassword = async (deps: ExecuteDeps, project: PlannedProject, id: string): Promise<void> => {
  const { key: what, port, password } = project
  if (port === null) return
  const { switchyard, report } = deps
  const server = await attempt(deps, `port ${port} of ${what}`, () => switchyard.setPort(id, port))
  if (server?.kind === 'container')
    report({
      kind: 'info',
      what,
      message: `runs its server in a container that only the stack can reach: nothing listens on port ${port} of this host any more. Use its sessions through Switchyard`,
    })
  else if (server) report({ kind: 'done', what, message: `keeps its port ${port}` })
  if (password === null) return
  const isSet = await attempt(deps, `password of ${what}`, async () => {
    await switchyard.setPassword(id, password)
    return true
  })
  if (isSet) report({ kind: 'done', what, message: 'keeps its password' })
}

/**
 * Registers a project.
 *
 * @returns the project if sandboxes can be created in it; undefined after reporting why not
 */
export const registerProject = async (deps: ExecuteDeps, project: PlannedProject): Promise<ProjectInfo | undefined> => {
  const { switchyard, journal, report } = deps
  const known = journal.find('project', (step) => step.key === project.key)
  const isSame = ({ git_url: url }: ProjectInfo) => repositoryKey(url) === repositoryKey(project.gitUrl)
  const existed = known?.existed ?? (await switchyard.projects()).some(isSame)
  if (!known) await journal.add({ step: 'project', key: project.key, git_url: project.gitUrl, existed })
  const first = await switchyard.start(settingsFor(project, existed))
  const { project_id: id } = first
  if (!journal.has('registered', (step) => step.project_id === id))
    await journal.add({ step: 'registered', key: project.key, project_id: id })
  const started = await transferKey(deps, project, first, existed)
  if (started.status === 'waiting_for_key') {
    const message = `waits until the host accepts its key: ${started.next_step ?? started.message}\n${started.public_key ?? ''}`
    report({ kind: 'left', what: project.key, message: message.trim() })
    return undefined
  }
  const info = await waitForClone(deps, id)
  if (info.status !== 'ready') {
    report({ kind: 'left', what: project.key, message: `is ${info.status}${info.detail ? `: ${info.detail}` : ''}` })
    return undefined
  }
  report({
    kind: 'done',
    what: project.key,
    message: `${existed ? 'was registered before' : 'is registered'}, in ${info.base_dir}`,
  })
  if (project.baseDir !== null && info.base_dir !== project.baseDir)
    report({
      kind: 'left',
      what: project.key,
      message: `uses ${info.base_dir}, not your checkout ${project.baseDir}, which is unchanged. Run the command again with --managed to migrate the work in it`,
    })
  if (existed) reportUnappliedSettings(deps, project, info)
  else await transferPortAndPassword(deps, project, id)
  return info
}
