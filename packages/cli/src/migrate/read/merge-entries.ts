// Merges the entries that several files have for one project.

import path from 'node:path'
import type { Diagnostics } from '../diagnostics.ts'
import { repositoryKey } from '../repository-urls.ts'
import type { LegacyFiles } from './legacy-files.ts'
import type { ProjectEntry } from './project-entry.ts'

export type MergedEntry = ProjectEntry & { readonly sources: readonly string[] }

const FIELDS = ['gitUrl', 'directory', 'keyPath', 'port', 'password', 'model', 'description', 'createdAt'] as const
/** JsonObject whose differences between files are reported. */
const REPORTED_FIELDS = ['port', 'keyPath'] as const

const isSameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

const isSameRepository = (a: ProjectEntry, b: ProjectEntry): boolean => {
  const [one, other] = [repositoryKey(a.gitUrl), repositoryKey(b.gitUrl)]
  return one !== null && one === other
}

/** Adds the fields of `other` that `entry` lacks. */
const combine = (entry: MergedEntry, other: ProjectEntry, diagnostics: Diagnostics): MergedEntry => {
  for (const name of REPORTED_FIELDS)
    if (entry[name] !== null && other[name] !== null && entry[name] !== other[name])
      diagnostics.warning(
        other.where,
        `has ${name} ${other[name]}; ${entry[name]} from ${entry.where} takes precedence`,
      )
  if (entry.gitUrl !== null && other.gitUrl !== null && !isSameRepository(entry, other))
    diagnostics.warning(other.where, `names a different repository than ${entry.where}, which takes precedence`)
  return {
    ...entry,
    ...Object.fromEntries(FIELDS.map((name) => [name, entry[name] ?? other[name]])),
    worktrees: [...new Set([...entry.worktrees, ...other.worktrees])],
    pids: [...new Set([...entry.pids, ...other.pids])],
    isRunning: entry.isRunning || other.isRunning,
    sources: [...entry.sources, other.where],
  }
}

type Matcher = (merged: MergedEntry, entry: ProjectEntry) => boolean

type Sources = {
  /** Takes precedence over the other files. It contains no passwords. */
  readonly state: readonly ProjectEntry[]
  /** Each server belongs to one entry of the state at most. */
  readonly servers: readonly ProjectEntry[]
  readonly folders: readonly ProjectEntry[]
}

/** Returns one entry per project. An entry that matches no earlier one is a project of its own. */
export const mergeEntries = (
  files: LegacyFiles,
  sources: Sources,
  diagnostics: Diagnostics,
): readonly MergedEntry[] => {
  const absolute = ({ directory }: ProjectEntry) => (directory === null ? null : files.absolute(directory))
  const isSameDirectory: Matcher = (merged, entry) => {
    const [one, other] = [absolute(merged), absolute(entry)]
    return one !== null && other !== null && (one === other || path.join(other, 'repo') === one)
  }
  // The most reliable matcher comes first. A server list by repository is matched to a state by
  // name through the repository and the port.
  const matchers: readonly Matcher[] = [
    isSameDirectory,
    (merged, entry) => isSameName(merged.name, entry.name),
    (merged, entry) => isSameRepository(merged, entry) && merged.port === entry.port,
    (merged, entry) => isSameRepository(merged, entry),
  ]
  const merged: MergedEntry[] = sources.state.map((entry) => ({ ...entry, sources: [entry.where] }))
  for (const entries of [sources.servers, sources.folders]) {
    const matched = new Set<number>()
    for (const entry of entries) {
      // A folder is matched by path and name only, because several may be clones of one repository.
      const usable = entry.shape === 'folder' ? matchers.slice(0, 2) : matchers
      const at = usable
        .map((matches) => merged.findIndex((found, index) => !matched.has(index) && matches(found, entry)))
        .find((index) => index >= 0)
      const existing = at === undefined ? undefined : merged[at]
      if (at === undefined || existing === undefined) {
        merged.push({ ...entry, sources: [entry.where] })
        matched.add(merged.length - 1)
      } else {
        merged[at] = combine(existing, entry, diagnostics)
        matched.add(at)
      }
    }
  }
  return merged
}
