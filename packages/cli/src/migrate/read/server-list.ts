// Reads opencode-mcp-tool-servers.json in its two versions. "2.0" may list backends other than
// OpenCode, which are skipped.

import { isObject, type JsonObject } from '@switchyard/contracts'
import { z } from 'zod'
import type { Diagnostics } from '../diagnostics.ts'
import { looksLikeUrl, withoutCredentials } from '../repository-urls.ts'
import { parseDamagedJson } from './damaged-json.ts'
import type { LegacyFiles } from './legacy-files.ts'
import { EMPTY_ENTRY, PORT, type ProjectEntry, readField, rejectPlaceholder, TEXT, TIME } from './project-entry.ts'
import { nameFrom } from './state-file.ts'

const SERVER_LIST_FILE = 'opencode-mcp-tool-servers.json'

export type Skipped = { readonly name: string; readonly where: string; readonly why: string }

export type ServerList = {
  readonly entries: readonly ProjectEntry[]
  readonly skipped: readonly Skipped[]
  /** The id of the server that received calls without a server id. */
  readonly defaultServer: string | null
}

/** Parses the port of a URL such as `http://127.0.0.1:4100`. */
const SERVER_PORT = z
  .string()
  .refine((url) => URL.canParse(url), 'is not a URL')
  .transform((url) => Number(new URL(url).port))
  .pipe(PORT)

const readServer = (id: string, server: JsonObject, where: string, diagnostics: Diagnostics): ProjectEntry => {
  const get = <T>(name: string, schema: z.ZodType<T>) => readField(server, name, schema, diagnostics, where)
  const gitUrl = get('git_url', TEXT) ?? (looksLikeUrl(id) ? id : null)
  return {
    ...EMPTY_ENTRY,
    where,
    shape: 'backend_type' in server ? 'config-2' : 'config-1',
    name: get('project_name', TEXT) ?? nameFrom(id),
    gitUrl,
    directory: get('base_dir', TEXT) ?? get('sandbox_dir', TEXT) ?? get('working_dir', TEXT),
    keyPath: get('ssh_key_path', TEXT),
    port: get('url', SERVER_PORT),
    password: rejectPlaceholder(get('password', TEXT), 'password', where, diagnostics),
    model: get('model', TEXT),
    description: get('description', TEXT),
    isRunning: get('status', z.string()) === 'active',
    createdAt: get('added_at', TIME),
  }
}

/** Reads the server list as far as it is intact. Reports what it cannot read. */
export const readServerList = async (files: LegacyFiles, diagnostics: Diagnostics): Promise<ServerList> => {
  const nothing: ServerList = { entries: [], skipped: [], defaultServer: null }
  const text = await files.read(SERVER_LIST_FILE)
  if (text === null) return nothing
  const { value, problems, partial } = parseDamagedJson(text)
  for (const problem of problems) diagnostics.problem(SERVER_LIST_FILE, problem)
  if (!isObject(value) || !Array.isArray(value.servers)) {
    if (problems.length === 0 || value !== undefined) diagnostics.problem(SERVER_LIST_FILE, 'has no list of servers')
    return nothing
  }
  const entries: ProjectEntry[] = []
  const skipped: Skipped[] = []
  for (const [at, server] of value.servers.entries()) {
    const where = `${SERVER_LIST_FILE}, entry ${at + 1}`
    if (!isObject(server)) {
      diagnostics.problem(where, 'is not a server entry')
      continue
    }
    if (partial.has(`servers/${at}`)) diagnostics.problem(where, 'is incomplete; its readable fields are used')
    const id = readField(server, 'id', TEXT, diagnostics, where)
    const name = id ?? readField(server, 'git_url', TEXT, diagnostics, where)
    const backend = readField(server, 'backend_type', TEXT, diagnostics, where) ?? 'opencode'
    if (backend !== 'opencode')
      skipped.push({
        name: name === null ? where : withoutCredentials(name),
        where,
        why: `its backend is ${backend}, which Switchyard does not support`,
      })
    else if (name === null) diagnostics.problem(where, 'has neither an id nor a git_url, so it cannot be identified')
    else entries.push(readServer(name, server, `${where} (${withoutCredentials(name)})`, diagnostics))
  }
  const chosen = readField(value, 'default_server', TEXT, diagnostics, SERVER_LIST_FILE)
  return { entries, skipped, defaultServer: chosen === null ? null : withoutCredentials(chosen) }
}
