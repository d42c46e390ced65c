// Reads the older manager's files into one list of projects. inspect-projects.ts reads the clones.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { isObject } from '@switchyard/contracts'
import type { Diagnostics } from '../diagnostics.ts'
import { parseDamagedJson } from './damaged-json.ts'
import { findKey, KEYS, type LegacyKey } from './deploy-keys.ts'
import { type CallerToken, readFolders, SANDBOXES } from './folders.ts'
import { LegacyFiles } from './legacy-files.ts'
import { type MergedEntry, mergeEntries } from './merge-entries.ts'
import { readServerList, type Skipped } from './server-list.ts'
import { readState } from './state-file.ts'

export type LegacyProject = MergedEntry & {
  readonly key: LegacyKey | null
  /** The git checkout, with links resolved; null if it does not exist. */
  readonly checkout: string | null
  /** The checkout is outside the tree, so it is the operator's own. */
  readonly isOutside: boolean
}

export type LegacyTree = {
  readonly root: string
  readonly projects: readonly LegacyProject[]
  readonly skipped: readonly Skipped[]
  readonly tokens: readonly CallerToken[]
  /** The password of every server without its own. */
  readonly password: string | null
  readonly defaultServer: string | null
}

const exists = async (target: string): Promise<boolean> => (await lstat(target).catch(() => undefined)) !== undefined

/**
 * Returns where a clone may be: where the entry says, or inside this tree if the tree was moved or
 * copied.
 */
const candidates = ({ directory, name }: MergedEntry): readonly string[] => {
  if (directory === null) return [path.join(SANDBOXES, name)]
  const moved = new RegExp(`${SANDBOXES}/[^/]+`).exec(directory)?.[0]
  return [directory, ...(moved === undefined ? [] : [moved])]
}

const findCheckout = async (
  files: LegacyFiles,
  entry: MergedEntry,
  diagnostics: Diagnostics,
): Promise<Pick<LegacyProject, 'checkout' | 'isOutside'>> => {
  const where = entry.sources[0] ?? entry.name
  const reported = diagnostics.all.length
  for (const candidate of candidates(entry))
    for (const given of [candidate, path.join(candidate, 'repo')]) {
      const found = await files.find(given, where)
      if (found !== null && (await exists(path.join(found.path, '.git'))))
        return { checkout: found.path, isOutside: found.isOutside }
    }
  if (diagnostics.all.length === reported)
    diagnostics.warning(where, `its clone ${candidates(entry)[0]} does not exist; the project is registered without it`)
  return { checkout: null, isOutside: false }
}

/** Reports files that are not migrated on purpose. */
const noteIgnoredFiles = async (files: LegacyFiles, diagnostics: Diagnostics): Promise<void> => {
  const claude = await files.read('claude-code-state.json')
  if (claude !== null) {
    const { value } = parseDamagedJson(claude)
    const count = isObject(value) && isObject(value.sessions) ? Object.keys(value.sessions).length : 0
    diagnostics.note('claude-code-state.json', `${count} sessions of Claude Code are not migrated`)
  }
  const names = new Set(await files.list('.'))
  if (names.has('opencode-logs')) diagnostics.note('opencode-logs', 'logs are not migrated')
}

/** Reads a whole tree. Returns null if `from` is not a directory. */
export const readLegacyTree = async (from: string, diagnostics: Diagnostics): Promise<LegacyTree | null> => {
  const files = await LegacyFiles.open(from, diagnostics)
  if (files === null) return null
  const state = await readState(files, diagnostics)
  const { entries: servers, skipped, defaultServer } = await readServerList(files, diagnostics)
  const { entries: folders, tokens, password } = await readFolders(files, diagnostics)
  const projects: LegacyProject[] = []
  for (const entry of mergeEntries(files, { state, servers, folders }, diagnostics)) {
    const key = await findKey(files, entry, diagnostics)
    projects.push({ ...entry, key, ...(await findCheckout(files, entry, diagnostics)) })
  }
  const used = new Set(projects.map(({ key }) => key?.path))
  for (const name of await files.list(KEYS))
    if (!name.endsWith('.pub') && !used.has(path.join(files.root, KEYS, name)))
      diagnostics.note(path.join(KEYS, name), 'belongs to no project; it is only in the backup')
  await noteIgnoredFiles(files, diagnostics)
  return { root: files.root, projects, skipped, tokens, password, defaultServer }
}
