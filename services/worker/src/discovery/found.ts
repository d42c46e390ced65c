// Directories that OpenCode or the managed place know and no project has: noted for operators. Nothing in them is touched, and those
// outside the managed place are not even read.

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { isSwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl, projectIdOf, readForeign } from '@switchyard/git'
import { type FoundDirectory, listProjects, listSandboxes, noteProject, replaceFound } from '@switchyard/records'
import type { ProjectDeps } from '../projects/deps.ts'

const MAX_FOUND = 1_000

/** Stores the repository of a managed directory as known. @returns its URL; null for a directory without a repository or remote */
const noteRepository = async ({ records }: ProjectDeps, directory: string): Promise<string | null> => {
  try {
    const { remote } = await readForeign(directory)
    if (remote === null) return null
    const { key, displayUrl: url } = parseRepositoryUrl(remote)
    await noteProject(records.db, { id: projectIdOf(key), key, url })
    return url
  } catch (error) {
    if (!isSwitchyardError(error)) throw error
    return null
  }
}

const inWorkspaces = async ({ layout }: ProjectDeps): Promise<readonly string[]> => {
  const entries = await readdir(layout.workspaces, { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => path.join(layout.workspaces, entry.name))
    .filter((directory) => !layout.isReserved(directory))
}

const inOpenCode = async ({ servers }: ProjectDeps, signal: AbortSignal): Promise<readonly string[]> => {
  const { shared } = servers
  if (shared?.state().status !== 'up') return []
  const projects = await shared.client.projects({ signal })
  return projects.flatMap(({ id, vcs, worktree, sandboxes }) =>
    id === 'global' || vcs !== 'git' ? [] : [worktree, ...sandboxes],
  )
}

export const noteDirectories = async (deps: ProjectDeps, signal: AbortSignal): Promise<void> => {
  const { records, layout } = deps
  const projects = await listProjects(records.db)
  const sandboxes = await listSandboxes(
    records.db,
    projects.map(({ id }) => id),
  )
  const known = new Set([...projects.flatMap(({ base_dir }) => base_dir ?? []), ...sandboxes.map((row) => row.path)])
  const sources = new Map<string, FoundDirectory['source']>()
  for (const directory of await inOpenCode(deps, signal)) sources.set(directory, 'opencode')
  for (const directory of await inWorkspaces(deps)) sources.set(directory, 'managed')
  const found: FoundDirectory[] = []
  for (const [directory, source] of [...sources].slice(0, MAX_FOUND)) {
    if (known.has(directory) || layout.isReserved(directory)) continue
    const isManaged = layout.contains(directory)
    found.push({
      directory,
      source,
      is_managed: isManaged,
      url: isManaged ? await noteRepository(deps, directory) : null,
    })
  }
  await replaceFound(records.db, found)
}
