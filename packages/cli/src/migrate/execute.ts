// Does what a plan says, step by step. Each step is in the journal before or after it, so that a run that broke off is gone on with.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  isSwitchyardError,
  type ProjectInfo,
  type StartedProject,
  type StartProject,
  type SwitchyardError,
} from '@switchyard/contracts'
import { bundleHead } from '@switchyard/git'
import { keyOf } from './identity.ts'
import type { Journal } from './journal.ts'
import type { PlannedProject } from './plan.ts'
import type { PlannedSandbox } from './sandboxes.ts'
import type { Switchyard } from './switchyard.ts'

/** A large repository is cloned in the background; it is looked at so often and so long, ms. */
const LOOK_EVERY_MS = 2_000
const CLONE_MS = 60 * 60_000

/** `left`: something is still to be done, by somebody or by running it again. */
export type Outcome = { readonly kind: 'done' | 'left' | 'told'; readonly what: string; readonly message: string }

export type ExecuteDeps = {
  readonly switchyard: Switchyard
  readonly journal: Journal
  /** Checkouts that could not be saved: nothing is done with them. */
  readonly unsaved: ReadonlySet<string>
  readonly tell: (outcome: Outcome) => void
}

const words = ({ message, hint }: SwitchyardError): string => `${message}. ${hint}`

/** Runs one step; a failure is told and ends it alone. */
const attempt = async <T>(deps: ExecuteDeps, what: string, work: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await work()
  } catch (error) {
    // Whatever comes next would fail too.
    if (!isSwitchyardError(error) || error.code === 'unauthorized' || error.code === 'disk_full') throw error
    deps.tell({ kind: 'left', what, message: words(error) })
    return undefined
  }
}

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
    tell({ kind: 'left', what, message: `its deploy key ${sshKey.path} was not taken: ${error.message}` })
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
    message: `was registered before and keeps its settings. Not taken over: ${left.join(', ')}. Should you want them: opencode_project_start takes isolation and model, PUT /servers/${id} the port, PUT /servers/${id}/password the password`,
  })
}

type Registered = { readonly info: ProjectInfo; readonly existed: boolean }

/** @returns the project as it is, where sandboxes can be made on it now */
const register = async (deps: ExecuteDeps, project: PlannedProject): Promise<Registered | undefined> => {
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
  return { info, existed }
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

/** One project after another; what fails is told, and the next one is taken. */
export const execute = async (deps: ExecuteDeps, projects: readonly PlannedProject[]): Promise<void> => {
  for (const project of projects) {
    const registered = await attempt(deps, project.key, () => register(deps, project))
    if (registered === undefined) {
      for (const { name } of project.sandboxes)
        deps.tell({ kind: 'left', what: `sandbox ${name} of ${project.key}`, message: 'waits for its project' })
      continue
    }
    const { info, existed } = registered
    if (existed) tellSettings(deps, project, info)
    else await keepAddress(deps, project, info.project_id)
    for (const sandbox of project.sandboxes) {
      const what = `sandbox ${sandbox.name} of ${project.key}`
      await attempt(deps, what, () => convert(deps, info, sandbox, what))
    }
  }
}
