// Registers a repository and starts it through a worker. Safe to repeat: each repository is one project.

import path from 'node:path'
import { isSwitchyardError, type StartedProject, type StartProject, SwitchyardError } from '@switchyard/contracts'
import { addKeyPage, parseRepositoryUrl, projectIdOf, projectName } from '@switchyard/git/identity'
import { findProject, type ProjectPatch, type ProjectRow, registerProject, updateProject } from '@switchyard/records'
import type { Caller } from '../access/caller.ts'
import { mayUse, requireChange } from '../access/projects.ts'
import { readServers, serversOfProjects } from '../servers/read-servers.ts'
import { checkModel } from '../validation/model.ts'
import type { ProjectDeps } from './deps.ts'
import { type RequestedRepository, readRequestedRepository } from './requested-repository.ts'
import { targetOf } from './target.ts'

/** Limit of the wait for a clone, ms. After that, callers follow it with the project's status. */
const START_WAIT_MS = 45_000

const register = async (deps: ProjectDeps, caller: Caller, input: StartProject, requested: RequestedRepository) => {
  const { identity, ownCheckout } = requested
  return await registerProject(deps.records.db, {
    id: projectIdOf(identity.key),
    key: identity.key,
    url: identity.displayUrl,
    owner_key: caller.name,
    name: input.name ?? projectName(identity),
    // For a managed project, the worker that starts it chooses the directory.
    base_dir: ownCheckout,
    is_managed: ownCheckout === null,
    pool: 'blue',
  })
}

const toStarted = (row: ProjectRow, status: StartedProject['status'], message: string): StartedProject => ({
  status,
  project_id: row.id,
  git_url: row.url,
  base_dir: row.base_dir,
  port: null,
  url: null,
  public_key: null,
  next_step: null,
  message,
  warnings: [...row.warnings],
})

const withAddress = async (
  { records }: ProjectDeps,
  started: StartedProject,
  row: ProjectRow,
): Promise<StartedProject> => {
  const at = serversOfProjects(await readServers(records), [row]).get(row.id)
  return { ...started, port: at?.server.port ?? null, url: at?.url ?? null }
}

const toWaitingForKey = (row: ProjectRow): StartedProject => {
  const { url, instructions } = addKeyPage(parseRepositoryUrl(row.url))
  return {
    ...toStarted(row, 'waiting_for_key', `the host of ${row.url} does not accept the deploy key yet`),
    public_key: row.public_key,
    next_step: [
      instructions,
      ...(url === null ? [] : [`Add it at ${url}.`]),
      'Then call opencode_project_start again with the same git_url.',
      ...(row.user_ssh_key === null
        ? []
        : [
            `The key belongs to ${row.user_ssh_key}; to use a new key instead, call opencode_get_deploy_key with rotate.`,
          ]),
    ].join(' '),
  }
}

/** Returns the settings that the call requests. A second checkout only adds a warning, since it is the same project. */
const patchOf = (
  found: ProjectRow,
  created: boolean,
  input: StartProject,
  requested: RequestedRepository,
): ProjectPatch => ({
  ...(input.model === undefined ? {} : { model: checkModel(input.model) }),
  ...(input.isolation === undefined ? {} : { isolation: input.isolation }),
  ...(input.user_ssh_key === undefined ? {} : { user_ssh_key: path.resolve(input.user_ssh_key) }),
  ...(!created && input.name !== undefined ? { name: input.name } : {}),
  ...(requested.ownCheckout === null || requested.ownCheckout === found.base_dir
    ? {}
    : {
        warnings: [
          `${requested.ownCheckout} is a second clone of this repository; the project uses ${found.base_dir ?? 'a managed clone'}. Create a sandbox (opencode_sandbox_create) instead of a second clone.`,
        ],
      }),
})

/** Returns the settings that differ from those of the project. */
const changesOf = (found: ProjectRow, patch: ProjectPatch): ProjectPatch =>
  Object.fromEntries(Object.entries(patch).filter(([field, value]) => found[field as keyof ProjectRow] !== value))

/**
 * Registers and starts a project.
 *
 * @throws SwitchyardError `invalid_project`, `invalid_model`, `forbidden`, `worker_unavailable`, `repository_*`, `host_key_*`,
 *   `deploy_key_invalid`, `disk_full`, `directory_unwritable`
 */
export const startProject = async (
  deps: ProjectDeps,
  caller: Caller,
  input: StartProject,
  signal: AbortSignal | undefined,
): Promise<StartedProject> => {
  const { records, calls } = deps
  if (input.model !== undefined) checkModel(input.model)
  const requested = await readRequestedRepository(deps, caller, input, signal)
  const { row: found, created } = await register(deps, caller, input, requested)
  if (!created && !mayUse(caller, found))
    throw new SwitchyardError('forbidden', `${found.url} is a project of another key`, {
      hint: 'Ask its owner or an operator to share it with you.',
    })
  const { warnings = [], ...settings } = patchOf(found, created, input, requested)
  const patch = changesOf(found, settings)
  const changed = Object.keys(patch).join(', ')
  if (!created && changed !== '') requireChange(caller, found, `changing its ${changed}`)
  const row = (changed !== '' ? await updateProject(records.db, found.id, patch) : undefined) ?? found
  const withWarnings = (started: StartedProject) => ({ ...started, warnings: [...started.warnings, ...warnings] })
  if (row.status === 'ready' && input.user_ssh_key === undefined)
    return await withAddress(
      deps,
      withWarnings(toStarted(row, 'already_running', `${row.url} is ready in ${row.base_dir}`)),
      row,
    )
  const options = { target: targetOf(deps, row), waitMs: START_WAIT_MS, signal }
  try {
    await calls.call('project.start', { project_id: row.id }, options)
  } catch (error) {
    if (!isSwitchyardError(error, 'call_timeout')) throw error
    const cloning = (await findProject(records.db, row.id)) ?? row
    return {
      ...withWarnings(toStarted(cloning, 'started', `${row.url} is still being cloned`)),
      next_step: 'Call opencode_project_status until its status is ready.',
    }
  }
  const now = (await findProject(records.db, row.id)) ?? row
  if (now.status === 'waiting_for_key') return withWarnings(toWaitingForKey(now))
  return await withAddress(deps, withWarnings(toStarted(now, 'started', `${now.url} is ready in ${now.base_dir}`)), now)
}
