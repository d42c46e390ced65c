// opencode-sandboxes/<name>/ with its .env and pid files, and opencode-manager.env.

import path from 'node:path'
import { parseEnv } from 'node:util'
import type { Findings } from '../findings.ts'
import { type Claim, EMPTY, PORT, realSecret } from './claim.ts'
import type { LegacyFiles } from './files.ts'

export const SANDBOXES = 'opencode-sandboxes'
const MANAGER_ENV = 'opencode-manager.env'

/** A token that callers of the older manager send. */
export type CallerToken = { readonly name: string; readonly where: string; readonly token: string }

export type Folders = {
  readonly claims: readonly Claim[]
  readonly tokens: readonly CallerToken[]
  /** Of every server that has none of its own. */
  readonly password: string | null
}

type Variables = Readonly<Record<string, string | undefined>>

const readVariables = async (files: LegacyFiles, name: string): Promise<Variables | null> => {
  const text = await files.read(name)
  return text === null ? null : parseEnv(text)
}

const textOf = (variables: Variables, name: string): string | null => variables[name]?.trim() || null

const secretOf = (variables: Variables, name: string, where: string, findings: Findings): string | null =>
  realSecret(textOf(variables, name), name, where, findings)

const portOf = (variables: Variables, name: string, where: string, findings: Findings): number | null => {
  const value = textOf(variables, name)
  if (value === null) return null
  const parsed = PORT.safeParse(Number(value))
  if (parsed.success) return parsed.data
  findings.warning(where, `${name} is no port and is left out`)
  return null
}

const PIDS = ['opencode.pid', 'mcp-tool.pid']

export const readFolders = async (files: LegacyFiles, findings: Findings): Promise<Folders> => {
  const claims: Claim[] = []
  const tokens: CallerToken[] = []
  for (const name of await files.list(SANDBOXES)) {
    const folder = path.join(SANDBOXES, name)
    if ((await files.find(folder, folder)) === null) continue
    const where = path.join(folder, '.env')
    const variables = (await readVariables(files, where)) ?? {}
    const pids: number[] = []
    for (const file of PIDS) {
      const pid = Number((await files.read(path.join(folder, file)))?.trim() || Number.NaN)
      if (Number.isInteger(pid) && pid > 0) pids.push(pid)
    }
    const token = secretOf(variables, 'MCP_TOOL_BEARER_TOKEN', where, findings)
    if (token !== null) tokens.push({ name, where, token })
    claims.push({
      ...EMPTY,
      where: folder,
      shape: 'folder',
      name,
      directory: folder,
      gitUrl: textOf(variables, 'GIT_URL'),
      keyPath: textOf(variables, 'SSH_KEY_PATH'),
      port: portOf(variables, 'OPENCODE_PORT', where, findings),
      password: secretOf(variables, 'OPENCODE_SERVER_PASSWORD', where, findings),
      pids,
    })
  }
  const manager = (await readVariables(files, MANAGER_ENV)) ?? {}
  const token = secretOf(manager, 'MCP_BEARER_TOKEN', MANAGER_ENV, findings)
  if (token !== null) tokens.push({ name: 'manager', where: MANAGER_ENV, token })
  return { claims, tokens, password: secretOf(manager, 'OPENCODE_PASSWORD', MANAGER_ENV, findings) }
}
