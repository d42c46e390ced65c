// opencode-mcp-tool-servers.json in its two shapes. "2.0" has backends of other kinds, which are not ours to import.

import { z } from 'zod'
import type { Findings } from '../findings.ts'
import { looksLikeUrl, shown } from '../identity.ts'
import { type Claim, EMPTY, type Fields, field, isFields, PORT, realSecret, TEXT, TIME } from './claim.ts'
import type { LegacyFiles } from './files.ts'
import { readDamaged } from './json.ts'
import { nameFrom } from './state.ts'

const CONFIG_FILE = 'opencode-mcp-tool-servers.json'

export type Skipped = { readonly name: string; readonly where: string; readonly why: string }

export type ServerList = {
  readonly claims: readonly Claim[]
  readonly skipped: readonly Skipped[]
  /** The id of the server that calls without one went to. */
  readonly defaultServer: string | null
}

/** The port of `http://127.0.0.1:4100`. */
const SERVER_PORT = z
  .string()
  .refine((url) => URL.canParse(url), 'is no URL')
  .transform((url) => Number(new URL(url).port))
  .pipe(PORT)

const readServer = (id: string, server: Fields, where: string, findings: Findings): Claim => {
  const get = <T>(name: string, schema: z.ZodType<T>) => field(server, name, schema, findings, where)
  const gitUrl = get('git_url', TEXT) ?? (looksLikeUrl(id) ? id : null)
  return {
    ...EMPTY,
    where,
    shape: 'backend_type' in server ? 'config-2' : 'config-1',
    name: get('project_name', TEXT) ?? nameFrom(id),
    gitUrl,
    directory: get('base_dir', TEXT) ?? get('sandbox_dir', TEXT) ?? get('working_dir', TEXT),
    keyPath: get('ssh_key_path', TEXT),
    port: get('url', SERVER_PORT),
    password: realSecret(get('password', TEXT), 'password', where, findings),
    model: get('model', TEXT),
    description: get('description', TEXT),
    isRunning: get('status', z.string()) === 'active',
    createdAt: get('added_at', TIME),
  }
}

export const readServerList = async (files: LegacyFiles, findings: Findings): Promise<ServerList> => {
  const nothing: ServerList = { claims: [], skipped: [], defaultServer: null }
  const text = await files.read(CONFIG_FILE)
  if (text === null) return nothing
  const { value, problems, partial } = readDamaged(text)
  for (const problem of problems) findings.problem(CONFIG_FILE, problem)
  if (!isFields(value) || !Array.isArray(value.servers)) {
    if (problems.length === 0 || value !== undefined) findings.problem(CONFIG_FILE, 'has no list of servers')
    return nothing
  }
  const claims: Claim[] = []
  const skipped: Skipped[] = []
  for (const [at, server] of value.servers.entries()) {
    const where = `${CONFIG_FILE}, entry ${at + 1}`
    if (!isFields(server)) {
      findings.problem(where, 'is no entry of a server')
      continue
    }
    if (partial.has(`servers/${at}`)) findings.problem(where, 'is not whole; what can be read of it is used')
    const id = field(server, 'id', TEXT, findings, where)
    const name = id ?? field(server, 'git_url', TEXT, findings, where)
    const backend = field(server, 'backend_type', TEXT, findings, where) ?? 'opencode'
    if (backend !== 'opencode')
      skipped.push({
        name: name === null ? where : shown(name),
        where,
        why: `its backend is ${backend}, which Switchyard does not run`,
      })
    else if (name === null) findings.problem(where, 'has neither an id nor a git_url; it cannot be identified')
    else claims.push(readServer(name, server, `${where} (${shown(name)})`, findings))
  }
  const chosen = field(value, 'default_server', TEXT, findings, CONFIG_FILE)
  return { claims, skipped, defaultServer: chosen === null ? null : shown(chosen) }
}
