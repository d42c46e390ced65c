// Plans the sandboxes of a project: one for every further clone and every worktree, and one for the
// base clone if it has work.

import type { ForeignState } from '@switchyard/git'
import type { Diagnostics } from './diagnostics.ts'
import type { InspectedClone, InspectedProject } from './inspect-projects.ts'
import { safeName } from './repository-urls.ts'

export type PlannedSandbox = {
  readonly name: string
  readonly branch: string
  /** The checkout whose commits and changes the sandbox gets. */
  readonly directory: string
  readonly why: 'another clone' | 'a worktree' | 'work in the first clone'
  /** The branch of that checkout; null with a detached HEAD. */
  readonly formerBranch: string | null
  readonly unpushed: number
  readonly changed: number
}

type Candidate = {
  readonly name: string
  readonly clone: InspectedClone
  readonly why: PlannedSandbox['why']
  readonly where: string
}

const hasWork = ({ unpushed, changed }: ForeignState): boolean => unpushed + changed > 0

/** Reports what a sandbox cannot contain. The backup and the older tree still have it. */
const reportUnmigratedWork = (state: ForeignState, where: string, diagnostics: Diagnostics): void => {
  const { stashes, unpushedBranches, damaged, tooLarge } = state
  if (stashes > 0)
    diagnostics.warning(
      where,
      `${stashes} ${stashes === 1 ? 'stash is' : 'stashes are'} saved in the backup's bundle only`,
    )
  if (unpushedBranches.length > 0)
    diagnostics.warning(
      where,
      `branches with unpushed commits are saved in the backup's bundle only: ${unpushedBranches.join(', ')}`,
    )
  if (damaged.length > 0) diagnostics.problem(where, `these refs point to missing objects: ${damaged.join(', ')}`)
  if (tooLarge.length > 0) diagnostics.problem(where, `files over 512 MiB are not migrated: ${tooLarge.join(', ')}`)
  if (state.isTruncated)
    diagnostics.problem(
      where,
      'has more than 10,000 untracked files; the rest is not migrated: commit the files or ignore them',
    )
  if (state.unfinished !== null)
    diagnostics.warning(where, `has an unfinished ${state.unfinished}; its files are migrated as they are`)
}

const reportMissingWorktrees = ({ project, worktrees }: InspectedProject, diagnostics: Diagnostics): void => {
  const existing = new Set(worktrees.map(({ name }) => name))
  for (const name of project.worktrees)
    if (!existing.has(name))
      diagnostics.warning(project.sources[0] ?? project.name, `its worktree ${name} does not exist any more`)
}

const worktreesOf = ({ project, worktrees }: InspectedProject): readonly Candidate[] =>
  worktrees.map(({ name, clone }) => ({
    name,
    clone,
    why: 'a worktree',
    where: `worktree ${name} of ${project.name}`,
  }))

/**
 * Plans the sandboxes of a project.
 *
 * @param duplicates - the other entries of the repository
 * @param isBaseKept - whether the project continues in the base's checkout, so that its work needs
 *   no sandbox
 */
export const planSandboxes = (
  base: InspectedProject,
  duplicates: readonly InspectedProject[],
  isBaseKept: boolean,
  diagnostics: Diagnostics,
): readonly PlannedSandbox[] => {
  const candidates: Candidate[] = []
  const whereOf = ({ project }: InspectedProject): string => project.sources[0] ?? project.name
  for (const entry of [base, ...duplicates]) reportMissingWorktrees(entry, diagnostics)
  if (base.clone && !isBaseKept) {
    if (!base.clone.isReadable || hasWork(base.clone.state))
      candidates.push({
        name: base.project.name,
        clone: base.clone,
        why: 'work in the first clone',
        where: whereOf(base),
      })
    else reportUnmigratedWork(base.clone.state, whereOf(base), diagnostics)
    candidates.push(...worktreesOf(base))
  }
  for (const entry of duplicates) {
    const { project, clone } = entry
    if (clone) candidates.push({ name: project.name, clone, why: 'another clone', where: whereOf(entry) })
    candidates.push(...worktreesOf(entry))
  }
  const names = new Set<string>()
  return candidates.flatMap(({ name: given, clone, why, where }): PlannedSandbox[] => {
    if (!clone.isReadable) {
      diagnostics.problem(where, `its clone ${clone.directory} cannot be read, so it is not migrated: ${clone.why}`)
      return []
    }
    const { state } = clone
    reportUnmigratedWork(state, where, diagnostics)
    if (state.head === null) {
      diagnostics.problem(
        where,
        `its clone ${state.directory} has no commit to start from; its files are in the backup`,
      )
      return []
    }
    const name = unusedName(safeName(given), names)
    return [
      {
        name,
        branch: `migrated/${name}`,
        directory: state.directory,
        why,
        formerBranch: state.branch,
        unpushed: state.unpushed,
        changed: state.changed,
      },
    ]
  })
}

const unusedName = (name: string, used: Set<string>): string => {
  let tried = name
  for (let at = 2; used.has(tried); at += 1) tried = `${name}-${at}`
  used.add(tried)
  return tried
}
