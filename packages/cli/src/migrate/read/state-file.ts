// Reads opencode-state.json in its three versions. The file has no version number, so the keys of
// each entry decide.

import { isObject, type JsonObject } from '@switchyard/contracts'
import { z } from 'zod'
import type { Diagnostics } from '../diagnostics.ts'
import { looksLikeUrl, withoutCredentials } from '../repository-urls.ts'
import { parseDamagedJson } from './damaged-json.ts'
import type { LegacyFiles } from './legacy-files.ts'
import { EMPTY_ENTRY, PID, PORT, type ProjectEntry, readField, type Shape, TEXT, TIME } from './project-entry.ts'

const STATE_FILE = 'opencode-state.json'

const shapeOf = (entry: JsonObject): Shape => {
  if ('base_dir' in entry || 'worktrees' in entry) return 'v2'
  return 'mcp_tool' in entry ? 'v1.0' : 'v1.1'
}

/**
 * Returns a project's name from its id: `git@github.com:User/blog-api.git` → `blog-api`. An id that
 * is not a URL is a name.
 */
export const nameFrom = (key: string): string => (looksLikeUrl(key) ? lastPart(withoutCredentials(key)) : key)

const lastPart = (url: string): string =>
  url
    .replace(/\/+$/, '')
    .replace(/\.git$/i, '')
    .split(/[/:]/)
    .at(-1) || url

const readEntry = (key: string, entry: JsonObject, diagnostics: Diagnostics): ProjectEntry => {
  const where = `${STATE_FILE}, ${withoutCredentials(key)}`
  const shape = shapeOf(entry)
  const get = <T>(name: string, schema: z.ZodType<T>, from: JsonObject = entry) =>
    readField(from, name, schema, diagnostics, where)
  const part = (name: string): JsonObject => get(name, z.record(z.string(), z.unknown())) ?? {}
  const opencode = part('opencode')
  const pids = [opencode, part('mcp_tool')].flatMap((process) => get('pid', PID, process) ?? [])
  const gitUrl = get('git_url', TEXT) ?? (looksLikeUrl(key) ? key : null)
  return {
    ...EMPTY_ENTRY,
    where,
    shape,
    name: get('project_name', TEXT) ?? nameFrom(key),
    gitUrl,
    directory: get('base_dir', TEXT) ?? get('sandbox_dir', TEXT),
    keyPath: get('ssh_key_path', TEXT),
    port: get('port', PORT, opencode),
    worktrees: get('worktrees', z.array(z.string().min(1))) ?? [],
    pids,
    isRunning: get('status', z.string(), opencode) === 'running',
    createdAt: get('created_at', TIME),
  }
}

/** Reads every entry, as far as it is intact. Reports what it cannot read. */
export const readState = async (files: LegacyFiles, diagnostics: Diagnostics): Promise<readonly ProjectEntry[]> => {
  const text = await files.read(STATE_FILE)
  if (text === null) return []
  const { value, problems, partial } = parseDamagedJson(text)
  for (const problem of problems) diagnostics.problem(STATE_FILE, problem)
  const projects = isObject(value) ? value.projects : undefined
  if (!isObject(projects)) {
    if (problems.length === 0 || value !== undefined) diagnostics.problem(STATE_FILE, 'has no list of projects')
    return []
  }
  const tool = isObject(value) && isObject(value.global_mcp_tool) ? value.global_mcp_tool : {}
  const pid = readField(tool, 'pid', PID, diagnostics, `${STATE_FILE}, global_mcp_tool`)
  if (pid !== null) diagnostics.note(`${STATE_FILE}, global_mcp_tool`, "is replaced by Switchyard's /mcp")
  return Object.entries(projects).flatMap(([key, entry]) => {
    const where = `${STATE_FILE}, ${withoutCredentials(key)}`
    if (!isObject(entry)) {
      diagnostics.problem(where, 'is not a project entry')
      return []
    }
    if (partial.has(`projects/${key}`)) diagnostics.problem(where, 'is incomplete; its readable fields are used')
    return [readEntry(key, entry, diagnostics)]
  })
}
