// Finds repositories that are cloned more than once on this host, where one clone with sandboxes would do.

import path from 'node:path'
import type { CallResult } from '@switchyard/contracts'
import { findClones } from '@switchyard/git'
import { listProjects } from '@switchyard/records'
import type { ProjectDeps } from './deps.ts'
import { exists } from './work.ts'

/** Searches the managed directory and the surroundings of users' own checkouts, two levels deep. */
export const findDuplicates = async (deps: ProjectDeps): Promise<CallResult<'project.duplicates'>> => {
  const projects = await listProjects(deps.records.db)
  const own = projects.flatMap((row) => (row.base_dir !== null && !row.is_managed ? [row.base_dir] : []))
  const roots = new Set([deps.layout.workspaces, ...own.map((directory) => path.dirname(directory))])
  const byKey = new Map<string, { readonly url: string; readonly directories: Set<string> }>()
  const note = (key: string, url: string, directory: string): void => {
    const found = byKey.get(key) ?? { url, directories: new Set<string>() }
    found.directories.add(directory)
    byKey.set(key, found)
  }
  let isTruncated = false
  for (const root of roots) {
    const found = await findClones(root, { depth: 2 })
    isTruncated ||= found.isTruncated
    // Linked worktrees are not clones, and nobody works in the shared clones.
    for (const { directory, origin, linkedTo } of found.clones)
      if (origin !== null && linkedTo === null && !deps.layout.isReserved(directory))
        note(origin.key, origin.displayUrl, directory)
  }
  for (const row of projects)
    if (row.base_dir !== null && (await exists(row.base_dir))) note(row.key, row.url, row.base_dir)
  return {
    duplicates: [...byKey.entries()]
      .filter(([, { directories }]) => directories.size > 1)
      .map(([key, { url, directories }]) => ({
        git_url: url,
        project_id: projects.find((row) => row.key === key)?.id ?? null,
        directories: [...directories].sort(),
        advice: `Work in one of them and make sandboxes (opencode_sandbox_create) instead of further clones; take what only the others have into it first.`,
      })),
    truncated: isTruncated,
  }
}
