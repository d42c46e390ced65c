// Directories that OpenCode or the managed place know and no project has: noted for operators. Nothing in them is touched, and those
// outside the managed place are not even read.

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { isSwitchyardError, WORKSPACE_FOLDERS } from '@switchyard/contracts'
import { parseRepositoryUrl, projectIdOf, readForeign } from '@switchyard/git'
import { type FoundDirectory, listProjects, listSandboxes, noteProject, replaceFound } from '@switchyard/records'
import { isInOwnFolder, type ProjectDeps } from '../projects/deps.ts'

const MAX_FOUND = 1_000

const isBelow = (directory: string, root: string): boolean => {
  const relative = path.relative(root, directory)
  return relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative)
}

/** The repository of a managed directory, kept as a known one; null where it has no remote or is none. @returns its URL */
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

const inManagedPlace = async (workspacesDir: string): Promise<readonly string[]> => {
  const entries = await readdir(workspacesDir, { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isDirectory() && !WORKSPACE_FOLDERS.has(entry.name) && !entry.name.startsWith('.'))
    .map((entry) => path.join(workspacesDir, entry.name))
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
  const { records, workspacesDir } = deps
  const projects = await listProjects(records.db)
  const sandboxes = await listSandboxes(
    records.db,
    projects.map(({ id }) => id),
  )
  const known = new Set([...projects.flatMap(({ base_dir }) => base_dir ?? []), ...sandboxes.map((row) => row.path)])
  const sources = new Map<string, FoundDirectory['source']>()
  for (const directory of await inOpenCode(deps, signal)) sources.set(directory, 'opencode')
  for (const directory of await inManagedPlace(workspacesDir)) sources.set(directory, 'managed')
  const found: FoundDirectory[] = []
  for (const [directory, source] of [...sources].slice(0, MAX_FOUND)) {
    if (known.has(directory) || isInOwnFolder(deps, directory)) continue
    const isManaged = isBelow(directory, workspacesDir)
    found.push({
      directory,
      source,
      is_managed: isManaged,
      url: isManaged ? await noteRepository(deps, directory) : null,
    })
  }
  await replaceFound(records.db, found)
}
