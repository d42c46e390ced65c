// Backs up the older manager before the migration changes anything: copies its files, and saves
// every clone as a git bundle.

import { mkdir, realpath, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { isInside, isSwitchyardError } from '@switchyard/contracts'
import { bundleForeign } from '@switchyard/git'
import { UsageError } from '../terminal.ts'
import type { Diagnostics } from './diagnostics.ts'
import { planToJson } from './format-plan.ts'
import type { Plan } from './plan.ts'
import { KEYS } from './read/deploy-keys.ts'
import { SANDBOXES } from './read/folders.ts'
import { LegacyFiles } from './read/legacy-files.ts'
import type { LegacyTree } from './read/legacy-tree.ts'
import { safeName } from './repository-urls.ts'

const STATE_FILES = [
  'opencode-state.json',
  'opencode-mcp-tool-servers.json',
  'opencode-manager.env',
  'claude-code-state.json',
  'global-mcp-tool.pid',
]
const FOLDER_FILES = ['.env', 'opencode.pid', 'mcp-tool.pid']

/** Resolves the links of a path whose last parts may not exist yet. */
const resolveLinks = async (target: string): Promise<string> => {
  const real = await realpath(target).catch(() => null)
  if (real !== null) return real
  return path.join(await resolveLinks(path.dirname(target)), path.basename(target))
}

/**
 * Checks that a directory to write into is outside the older manager's tree.
 *
 * @param option - the option that names the directory, for the message: `--backup`
 * @throws UsageError if the directory is inside the tree
 */
export const requireOutside = async (tree: string, directory: string, option: string): Promise<void> => {
  const real = await resolveLinks(path.resolve(directory))
  if (isInside(tree, real))
    throw new UsageError(
      `${option} ${directory} is inside the older manager's tree, which must stay unchanged; choose a directory outside it`,
    )
}

const copyFiles = async (files: LegacyFiles, to: string): Promise<void> => {
  const folders = await files.list(SANDBOXES)
  const names = [
    ...STATE_FILES,
    ...folders.flatMap((folder) => FOLDER_FILES.map((name) => path.join(SANDBOXES, folder, name))),
    ...(await files.list(KEYS)).map((name) => path.join(KEYS, name)),
  ]
  for (const name of names) {
    const text = await files.read(name)
    if (text === null) continue
    const target = path.join(to, name)
    await mkdir(path.dirname(target), { recursive: true, mode: 0o700 })
    await writeFile(target, text, { mode: 0o600 })
  }
}

/**
 * Writes the tokens of the older manager's callers as a Switchyard setting. Nothing applies it: the
 * operator decides whether to.
 */
const writeTokens = async (tree: LegacyTree, to: string): Promise<void> => {
  // Switchyard rejects shorter keys.
  const usable = tree.tokens.filter(({ token }) => token.length >= 16)
  if (usable.length === 0) return
  const entries = usable.map(({ name, token }) => `legacy-${safeName(name)}:operator:${token}`)
  const text = `# The tokens of the older manager's callers. Add this to Switchyard's settings to accept them as operators.\nSWITCHYARD_API_KEYS=${entries.join(',')}\n`
  await writeFile(path.join(to, 'switchyard.env'), text, { mode: 0o600 })
}

export type BackupResult = {
  /** Directories of clones that the backup could not save. The migration does not use them. */
  readonly unsaved: ReadonlySet<string>
}

/**
 * Copies the older manager's files and saves every clone of the plan.
 *
 * @param to - the backup directory; created if missing, and readable by its owner only
 * @param onClone - called before each clone is saved
 * @throws UsageError if the older manager's directory no longer exists
 * @throws SwitchyardError `disk_full`
 */
export const createBackup = async (
  plan: Plan,
  tree: LegacyTree,
  to: string,
  diagnostics: Diagnostics,
  onClone: (name: string) => void,
): Promise<BackupResult> => {
  const files = await LegacyFiles.open(tree.root, diagnostics)
  if (files === null) throw new UsageError(`the directory ${tree.root} was removed meanwhile`)
  const clones = path.join(to, 'clones')
  await mkdir(clones, { recursive: true, mode: 0o700 })
  await copyFiles(files, path.join(to, 'state'))
  await writeTokens(tree, to)
  await writeFile(path.join(to, 'plan.json'), planToJson(plan), { mode: 0o600 })
  const unsaved = new Set<string>()
  for (const { name, directory } of plan.clones) {
    onClone(name)
    const target = path.join(clones, name)
    try {
      await bundleForeign(directory, { bundle: `${target}.bundle`, patch: `${target}.patch` })
    } catch (error) {
      if (!isSwitchyardError(error) || error.code === 'disk_full') throw error
      unsaved.add(directory)
      diagnostics.problem(directory, `cannot be saved, so it is not migrated: ${error.message}`)
    }
  }
  return { unsaved }
}
