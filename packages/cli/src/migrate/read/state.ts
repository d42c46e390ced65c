// opencode-state.json in its three shapes. No file carries a version: each entry shows its shape by its keys.

import { z } from 'zod'
import type { Findings } from '../findings.ts'
import { looksLikeUrl, shown } from '../identity.ts'
import { type Claim, EMPTY, type Fields, field, isFields, PID, PORT, type Shape, TEXT, TIME } from './claim.ts'
import type { LegacyFiles } from './files.ts'
import { readDamaged } from './json.ts'

const STATE_FILE = 'opencode-state.json'

const shapeOf = (entry: Fields): Shape => {
  if ('base_dir' in entry || 'worktrees' in entry) return 'v2'
  return 'mcp_tool' in entry ? 'v1.0' : 'v1.1'
}

/** `git@github.com:User/blog-api.git` → `blog-api`; what is no URL is a name. */
export const nameFrom = (key: string): string => (looksLikeUrl(key) ? lastPart(shown(key)) : key)

const lastPart = (url: string): string =>
  url
    .replace(/\/+$/, '')
    .replace(/\.git$/i, '')
    .split(/[/:]/)
    .at(-1) || url

const readEntry = (key: string, entry: Fields, findings: Findings): Claim => {
  const where = `${STATE_FILE}, ${shown(key)}`
  const shape = shapeOf(entry)
  const get = <T>(name: string, schema: z.ZodType<T>, from: Fields = entry) =>
    field(from, name, schema, findings, where)
  const part = (name: string): Fields => get(name, z.record(z.string(), z.unknown())) ?? {}
  const opencode = part('opencode')
  const pids = [opencode, part('mcp_tool')].flatMap((process) => get('pid', PID, process) ?? [])
  const gitUrl = get('git_url', TEXT) ?? (looksLikeUrl(key) ? key : null)
  return {
    ...EMPTY,
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

/** Entries that are whole, and what can be read of one that is not. */
export const readState = async (files: LegacyFiles, findings: Findings): Promise<readonly Claim[]> => {
  const text = await files.read(STATE_FILE)
  if (text === null) return []
  const { value, problems, partial } = readDamaged(text)
  for (const problem of problems) findings.problem(STATE_FILE, problem)
  const projects = isFields(value) ? value.projects : undefined
  if (!isFields(projects)) {
    if (problems.length === 0 || value !== undefined) findings.problem(STATE_FILE, 'has no list of projects')
    return []
  }
  const tool = isFields(value) && isFields(value.global_mcp_tool) ? value.global_mcp_tool : {}
  const pid = field(tool, 'pid', PID, findings, `${STATE_FILE}, global_mcp_tool`)
  if (pid !== null) findings.note(`${STATE_FILE}, global_mcp_tool`, 'is replaced by Switchyard’s own /mcp')
  return Object.entries(projects).flatMap(([key, entry]) => {
    const where = `${STATE_FILE}, ${shown(key)}`
    if (!isFields(entry)) {
      findings.problem(where, 'is no entry of a project')
      return []
    }
    if (partial.has(`projects/${key}`)) findings.problem(where, 'is not whole; what can be read of it is used')
    return [readEntry(key, entry, findings)]
  })
}
