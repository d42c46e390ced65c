// The older manager's whole tree, as one list of projects. Reads files alone; git and processes are looked at in look.ts.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import type { Findings } from '../findings.ts'
import { isFields } from './claim.ts'
import { readServerList, type Skipped } from './config.ts'
import { LegacyFiles } from './files.ts'
import { type CallerToken, readFolders, SANDBOXES } from './folders.ts'
import { readDamaged } from './json.ts'
import { findKey, KEYS, type LegacyKey } from './keys.ts'
import { type Merged, mergeClaims } from './merge.ts'
import { readState } from './state.ts'

export type LegacyProject = Merged & {
  readonly key: LegacyKey | null
  /** Its git checkout, without links; null when none is found. */
  readonly checkout: string | null
  /** The checkout is not in the tree: it is the user's own. */
  readonly isOutside: boolean
}

export type LegacyTree = {
  readonly root: string
  readonly projects: readonly LegacyProject[]
  readonly skipped: readonly Skipped[]
  readonly tokens: readonly CallerToken[]
  /** Of every server without one of its own. */
  readonly password: string | null
  readonly defaultServer: string | null
}

const isThere = async (place: string): Promise<boolean> => (await lstat(place).catch(() => undefined)) !== undefined

/** Where it may be: as it is written, and in this tree, should the tree have been moved or copied since. */
const candidates = ({ directory, name }: Merged): readonly string[] => {
  if (directory === null) return [path.join(SANDBOXES, name)]
  const moved = new RegExp(`${SANDBOXES}/[^/]+`).exec(directory)?.[0]
  return [directory, ...(moved === undefined ? [] : [moved])]
}

const findCheckout = async (
  files: LegacyFiles,
  entry: Merged,
  findings: Findings,
): Promise<Pick<LegacyProject, 'checkout' | 'isOutside'>> => {
  const where = entry.sources[0] ?? entry.name
  const reported = findings.all.length
  for (const candidate of candidates(entry))
    for (const given of [candidate, path.join(candidate, 'repo')]) {
      const place = await files.find(given, where)
      if (place !== null && (await isThere(path.join(place.path, '.git'))))
        return { checkout: place.path, isOutside: place.isOutside }
    }
  if (findings.all.length === reported)
    findings.warning(where, `its clone is not there (${candidates(entry)[0]}); the project is registered without it`)
  return { checkout: null, isOutside: false }
}

/** What else lies there, so that nobody has to wonder. */
const noteTheRest = async (files: LegacyFiles, findings: Findings): Promise<void> => {
  const claude = await files.read('claude-code-state.json')
  if (claude !== null) {
    const { value } = readDamaged(claude)
    const count = isFields(value) && isFields(value.sessions) ? Object.keys(value.sessions).length : 0
    findings.note('claude-code-state.json', `${count} sessions of Claude Code are not imported`)
  }
  const rest = new Set(await files.list('.'))
  if (rest.has('opencode-logs')) findings.note('opencode-logs', 'logs are not imported')
}

/**
 * @returns null where `from` is no directory
 */
export const readLegacyTree = async (from: string, findings: Findings): Promise<LegacyTree | null> => {
  const files = await LegacyFiles.open(from, findings)
  if (files === null) return null
  const state = await readState(files, findings)
  const { claims: servers, skipped, defaultServer } = await readServerList(files, findings)
  const { claims: folders, tokens, password } = await readFolders(files, findings)
  const projects: LegacyProject[] = []
  for (const entry of mergeClaims(files, { state, servers, folders }, findings)) {
    const key = await findKey(files, entry, findings)
    projects.push({ ...entry, key, ...(await findCheckout(files, entry, findings)) })
  }
  const used = new Set(projects.map(({ key }) => key?.path))
  for (const name of await files.list(KEYS))
    if (!name.endsWith('.pub') && !used.has(path.join(files.root, KEYS, name)))
      findings.note(path.join(KEYS, name), 'is the key of no project; it goes into the backup only')
  await noteTheRest(files, findings)
  return { root: files.root, projects, skipped, tokens, password, defaultServer }
}
