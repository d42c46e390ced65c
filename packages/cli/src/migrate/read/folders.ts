// Reads opencode-sandboxes/<name>/ with its .env and pid files, and opencode-manager.env.

import path from 'node:path'
import { parseEnv } from 'node:util'
import type { Diagnostics } from '../diagnostics.ts'
import type { LegacyFiles } from './legacy-files.ts'
import { EMPTY_ENTRY, PORT, type ProjectEntry, rejectPlaceholder } from './project-entry.ts'

export const SANDBOXES = 'opencode-sandboxes'
const MANAGER_ENV = 'opencode-manager.env'

/** A token that callers use to authenticate with the older manager. */
export type CallerToken = { readonly name: string; readonly where: string; readonly token: string }

export type Folders = {
  readonly entries: readonly ProjectEntry[]
  readonly tokens: readonly CallerToken[]
  /** The password of every server without its own. */
  readonly password: string | null
}

type Variables = Readonly<Record<string, string | undefined>>

const readVariables = async (files: LegacyFiles, name: string): Promise<Variables | null> => {
  const text = await files.read(name)
  return text === null ? null : parseEnv(text)
}

const textOf = (variables: Variables, name: string): string | null => variables[name]?.trim() || null

const secretOf = (variables: Variables, name: string, where: string, diagnostics: Diagnostics): string | null =>
  rejectPlaceholder(textOf(variables, name), name, where, diagnostics)

const portOf = (variables: Variables, name: string, where: string, diagnostics: Diagnostics): number | null => {
  const value = textOf(variables, name)
  if (value === null) return null
  const parsed = PORT.safeParse(Number(value))
  if (parsed.success) return parsed.data
  diagnostics.warning(where, `${name} is not a port; it is ignored`)
  return null
}

const PID_FILES = ['opencode.pid', 'mcp-tool.pid']

/** Reads every sandbox folder, also those that no other file names. */
export const readFolders = async (files: LegacyFiles, diagnostics: Diagnostics): Promise<Folders> => {
  const entries: ProjectEntry[] = []
  const tokens: CallerToken[] = []
  for (const name of await files.list(SANDBOXES)) {
    const folder = path.join(SANDBOXES, name)
    if ((await files.find(folder, folder)) === null) continue
    const where = path.join(folder, '.env')
    const variables = (await readVariables(files, where)) ?? {}
    const pids: number[] = []
    for (const file of PID_FILES) {
      const pid = Number((await files.read(path.join(folder, file)))?.trim() || Number.NaN)
      if (Number.isInteger(pid) && pid > 0) pids.push(pid)
    }
    const token = secretOf(variables, 'MCP_TOOL_BEARER_TOKEN', where, diagnostics)
    if (token !== null) tokens.push({ name, where, token })
    entries.push({
      ...EMPTY_ENTRY,
      where: folder,
      shape: 'folder',
      name,
      directory: folder,
      gitUrl: textOf(variables, 'GIT_URL'),
      keyPath: textOf(variables, 'SSH_KEY_PATH'),
      port: portOf(variables, 'OPENCODE_PORT', where, diagnostics),
      password: secretOf(variables, 'OPENCODE_SERVER_PASSWORD', where, diagnostics),
      pids,
    })
  }
  const manager = (await readVariables(files, MANAGER_ENV)) ?? {}
  const token = secretOf(manager, 'MCP_BEARER_TOKEN', MANAGER_ENV, diagnostics)
  if (token !== null) tokens.push({ name: 'manager', where: MANAGER_ENV, token })
  return { entries, tokens, password: secretOf(manager, 'OPENCODE_PASSWORD', MANAGER_ENV, diagnostics) }
}
