// Puts together what several files say of one project.

import path from 'node:path'
import type { Findings } from '../findings.ts'
import { keyOf } from '../identity.ts'
import type { Claim } from './claim.ts'
import type { LegacyFiles } from './files.ts'

export type Merged = Claim & { readonly sources: readonly string[] }

const FIELDS = ['gitUrl', 'directory', 'keyPath', 'port', 'password', 'model', 'description', 'createdAt'] as const
/** Where two files differ in one of these, somebody should know. */
const TOLD = ['port', 'keyPath'] as const

const isSameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

const isSameRepository = (a: Claim, b: Claim): boolean => {
  const [one, other] = [keyOf(a.gitUrl), keyOf(b.gitUrl)]
  return one !== null && one === other
}

const combine = (entry: Merged, claim: Claim, findings: Findings): Merged => {
  for (const name of TOLD)
    if (entry[name] !== null && claim[name] !== null && entry[name] !== claim[name])
      findings.warning(claim.where, `says ${name} ${claim[name]}; ${entry[name]} of ${entry.where} counts`)
  if (entry.gitUrl !== null && claim.gitUrl !== null && !isSameRepository(entry, claim))
    findings.warning(claim.where, `names another repository than ${entry.where}; that one counts`)
  return {
    ...entry,
    ...Object.fromEntries(FIELDS.map((name) => [name, entry[name] ?? claim[name]])),
    worktrees: [...new Set([...entry.worktrees, ...claim.worktrees])],
    pids: [...new Set([...entry.pids, ...claim.pids])],
    isRunning: entry.isRunning || claim.isRunning,
    sources: [...entry.sources, claim.where],
  }
}

type Match = (entry: Merged, claim: Claim) => boolean

/**
 * @param state - what counts where two differ, but for passwords, which it does not have
 * @param servers - each belongs to one entry of the state at most
 */
export const mergeClaims = (
  files: LegacyFiles,
  parts: { readonly state: readonly Claim[]; readonly servers: readonly Claim[]; readonly folders: readonly Claim[] },
  findings: Findings,
): readonly Merged[] => {
  const placeOf = ({ directory }: Claim) => (directory === null ? null : files.absolute(directory))
  const isSamePlace: Match = (entry, claim) => {
    const [one, other] = [placeOf(entry), placeOf(claim)]
    return one !== null && other !== null && (one === other || path.join(other, 'repo') === one)
  }
  // The surest match first: a list by repository beside a state by name is matched by repository, then by port.
  const signs: readonly Match[] = [
    isSamePlace,
    (entry, claim) => isSameName(entry.name, claim.name),
    (entry, claim) => isSameRepository(entry, claim) && entry.port === claim.port,
    (entry, claim) => isSameRepository(entry, claim),
  ]
  const merged: Merged[] = parts.state.map((claim) => ({ ...claim, sources: [claim.where] }))
  for (const claims of [parts.servers, parts.folders]) {
    const taken = new Set<number>()
    for (const claim of claims) {
      // A folder is matched by its path and name: several may be clones of one repository.
      const usable = claim.shape === 'folder' ? signs.slice(0, 2) : signs
      const at = usable
        .map((sign) => merged.findIndex((entry, index) => !taken.has(index) && sign(entry, claim)))
        .find((index) => index >= 0)
      const entry = at === undefined ? undefined : merged[at]
      if (at === undefined || entry === undefined) {
        merged.push({ ...claim, sources: [claim.where] })
        taken.add(merged.length - 1)
      } else {
        merged[at] = combine(entry, claim, findings)
        taken.add(at)
      }
    }
  }
  return merged
}
