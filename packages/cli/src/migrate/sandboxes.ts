// What becomes a sandbox: every further clone of a repository, every worktree of one, and the work in the first clone.

import type { ForeignState } from '@switchyard/git'
import type { Findings } from './findings.ts'
import { safeName } from './identity.ts'
import type { Clone, Look } from './look.ts'

export type PlannedSandbox = {
  readonly name: string
  readonly branch: string
  /** The checkout whose commits and changes it gets. */
  readonly directory: string
  readonly why: 'another clone' | 'a worktree' | 'work in the first clone'
  /** Its branch there; null where none was checked out. */
  readonly formerBranch: string | null
  readonly unpushed: number
  readonly changed: number
}

type Candidate = {
  readonly name: string
  readonly clone: Clone
  readonly why: PlannedSandbox['why']
  readonly where: string
}

const hasWork = ({ unpushed, changed }: ForeignState): boolean => unpushed + changed > 0

/** What a sandbox cannot hold: it is in the backup, and the older tree keeps it too. */
const tellTheRest = (state: ForeignState, where: string, findings: Findings): void => {
  const { stashes, unpushedBranches, damaged, tooLarge } = state
  if (stashes > 0)
    findings.warning(where, `${stashes} ${stashes === 1 ? 'stash is' : 'stashes are'} kept in the backup’s bundle`)
  if (unpushedBranches.length > 0)
    findings.warning(
      where,
      `branches with unpushed commits are kept in the backup’s bundle: ${unpushedBranches.join(', ')}`,
    )
  if (damaged.length > 0) findings.problem(where, `these refs lead to nothing: ${damaged.join(', ')}`)
  if (tooLarge.length > 0) findings.problem(where, `files over 512 MiB are not carried over: ${tooLarge.join(', ')}`)
  if (state.isTruncated)
    findings.problem(where, 'has more than 10,000 untracked files; the rest is not carried over, commit or ignore them')
  if (state.unfinished !== null)
    findings.warning(where, `a ${state.unfinished} is not finished there; its files are carried over as they are`)
}

const tellMissing = (look: Look, findings: Findings): void => {
  const there = new Set(look.worktrees.map(({ name }) => name))
  for (const name of look.project.worktrees)
    if (!there.has(name))
      findings.warning(look.project.sources[0] ?? look.project.name, `its worktree ${name} is not there any more`)
}

const worktreesOf = (look: Look): readonly Candidate[] =>
  look.worktrees.map(({ name, clone }) => ({
    name,
    clone,
    why: 'a worktree',
    where: `worktree ${name} of ${look.project.name}`,
  }))

/** @param isKept - the project goes on with the base's own checkout, and nothing in it has to be moved */
export const planSandboxes = (
  base: Look,
  duplicates: readonly Look[],
  isKept: boolean,
  findings: Findings,
): readonly PlannedSandbox[] => {
  const candidates: Candidate[] = []
  const whereOf = ({ project }: Look): string => project.sources[0] ?? project.name
  for (const look of [base, ...duplicates]) tellMissing(look, findings)
  if (base.clone && !isKept) {
    if (!base.clone.isReadable || hasWork(base.clone.state))
      candidates.push({
        name: base.project.name,
        clone: base.clone,
        why: 'work in the first clone',
        where: whereOf(base),
      })
    else tellTheRest(base.clone.state, whereOf(base), findings)
    candidates.push(...worktreesOf(base))
  }
  for (const look of duplicates) {
    if (look.clone)
      candidates.push({ name: look.project.name, clone: look.clone, why: 'another clone', where: whereOf(look) })
    candidates.push(...worktreesOf(look))
  }
  const names = new Set<string>()
  return candidates.flatMap(({ name: given, clone, why, where }): PlannedSandbox[] => {
    if (!clone.isReadable) {
      findings.problem(where, `its clone ${clone.directory} cannot be read and is left as it is: ${clone.why}`)
      return []
    }
    const { state } = clone
    tellTheRest(state, where, findings)
    if (state.head === null) {
      findings.problem(where, `its clone ${state.directory} has no commit to begin from; its files are in the backup`)
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
