// Saves the older manager's state before anything is done: its files as they are, and every clone as a git bundle.

import { mkdir, realpath, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { isInside, isSwitchyardError } from '@switchyard/contracts'
import { bundleForeign } from '@switchyard/git'
import { UsageError } from '../terminal.ts'
import type { Findings } from './findings.ts'
import { safeName } from './identity.ts'
import type { Plan } from './plan.ts'
import { LegacyFiles } from './read/files.ts'
import { SANDBOXES } from './read/folders.ts'
import { KEYS } from './read/keys.ts'
import type { LegacyTree } from './read/tree.ts'
import { planAsJson } from './report.ts'

const STATE_FILES = [
  'opencode-state.json',
  'opencode-mcp-tool-servers.json',
  'opencode-manager.env',
  'claude-code-state.json',
  'global-mcp-tool.pid',
]
const FOLDER_FILES = ['.env', 'opencode.pid', 'mcp-tool.pid']

/** The directory, or the nearest one above it that is there. */
const nearest = async (place: string): Promise<string> => {
  const real = await realpath(place).catch(() => null)
  if (real !== null) return real
  return path.join(await nearest(path.dirname(place)), path.basename(place))
}

/** @throws UsageError for a place in the older manager's tree: nothing is written there */
export const requireOutside = async (tree: string, place: string, option: string): Promise<void> => {
  const real = await nearest(path.resolve(place))
  if (isInside(tree, real))
    throw new UsageError(
      `${option} ${place} is in the older manager’s tree, which is not written into; name another place`,
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
    const place = path.join(to, name)
    await mkdir(path.dirname(place), { recursive: true, mode: 0o700 })
    await writeFile(place, text, { mode: 0o600 })
  }
}

/** Tokens that callers of the older manager send, as they would be written for Switchyard: for a person to take over or not. */
const writeTokens = async (tree: LegacyTree, to: string): Promise<void> => {
  const long = tree.tokens.filter(({ token }) => token.length >= 16)
  if (long.length === 0) return
  const entries = long.map(({ name, token }) => `legacy-${safeName(name)}:operator:${token}`)
  const text = `# What callers of the older manager send. To let them in as operators, put this into Switchyard's settings.\nSWITCHYARD_API_KEYS=${entries.join(',')}\n`
  await writeFile(path.join(to, 'switchyard.env'), text, { mode: 0o600 })
}

/** Directories of clones that could not be saved; these are left alone. */
export type Saved = { readonly unsaved: ReadonlySet<string> }

/**
 * @param to - created if missing, readable by its owner alone
 * @param onClone - called before each clone
 */
export const backUp = async (
  plan: Plan,
  tree: LegacyTree,
  to: string,
  findings: Findings,
  onClone: (name: string) => void,
): Promise<Saved> => {
  const files = await LegacyFiles.open(tree.root, findings)
  if (files === null) throw new UsageError(`there is no directory ${tree.root} any more`)
  const clones = path.join(to, 'clones')
  await mkdir(clones, { recursive: true, mode: 0o700 })
  await copyFiles(files, path.join(to, 'state'))
  await writeTokens(tree, to)
  await writeFile(path.join(to, 'plan.json'), planAsJson(plan), { mode: 0o600 })
  const unsaved = new Set<string>()
  for (const { name, directory } of plan.clones) {
    onClone(name)
    const place = path.join(clones, name)
    try {
      await bundleForeign(directory, { bundle: `${place}.bundle`, patch: `${place}.patch` })
    } catch (error) {
      if (!isSwitchyardError(error) || error.code === 'disk_full') throw error
      unsaved.add(directory)
      findings.problem(directory, `could not be saved, and is left alone: ${error.message}`)
    }
  }
  return { unsaved }
}
