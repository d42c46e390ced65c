// What a tool call is about, in a person's words: which file, which command, what came out.

import { isObject } from '../json-object.ts'
import { cutShort, gistOf } from './command-output.ts'
import { count, oneLine, relativePath, withoutDirectory } from './text.ts'

export type ToolCall = {
  readonly tool: string
  readonly input: Readonly<Record<string, unknown>>
  readonly metadata: Readonly<Record<string, unknown>>
  readonly title: string
  readonly output: string
  readonly directory: string
}

/** Files that a call changed, with the lines it added and took away where that is known. */
export type ChangedFile = { readonly path: string; readonly additions?: number; readonly deletions?: number }

type Teller = {
  /** What it is about: known from the input alone. */
  readonly subject: (call: ToolCall) => string
  /** What came of it; empty where there is nothing to add. */
  readonly outcome?: (call: ToolCall) => string
}

/** `bash: npm test`, `edit sum.js`, `grep "sum"`: what the call is about. */
export const subjectOf = (call: ToolCall): string => teller(call.tool).subject(call)

/** `exit 1: 2 failed`, `3 files`: what came of it, or an empty string. */
export const outcomeOf = (call: ToolCall): string => (teller(call.tool).outcome ?? (() => ''))(call)

/** The changes that the metadata of an edit, write or patch tells of. */
export const changedFiles = ({ tool, input, metadata, directory }: ToolCall): readonly ChangedFile[] => {
  if (!CHANGING.has(tool)) return []
  const listed = Array.isArray(metadata.files) ? metadata.files : [metadata.filediff]
  const files = listed.filter(isObject).flatMap((file) => {
    const path = text(file.relativePath) || text(file.filePath) || text(file.file)
    return path === '' ? [] : [changedFile(relativePath(path, directory), file)]
  })
  if (files.length > 0) return files
  const path = text(metadata.filepath) || text(input.filePath)
  return path === '' ? [] : [{ path: relativePath(path, directory) }]
}

/** The command's exit code; null where it did not end by itself; undefined where the tool has none. */
export const exitCode = ({ metadata }: ToolCall): number | null | undefined => {
  const exit = metadata.exit
  return typeof exit === 'number' || exit === null ? exit : undefined
}

const CHANGING = new Set(['edit', 'write', 'multiedit', 'patch', 'apply_patch'])

const changedFile = (path: string, file: Readonly<Record<string, unknown>>): ChangedFile => ({
  path,
  ...(typeof file.additions === 'number' ? { additions: file.additions } : {}),
  ...(typeof file.deletions === 'number' ? { deletions: file.deletions } : {}),
})

const filePath = (call: ToolCall): string => relativePath(text(call.input.filePath), call.directory)

const lineTotals = (call: ToolCall): string => {
  const files = changedFiles(call).filter((file) => file.additions !== undefined || file.deletions !== undefined)
  if (files.length === 0) return ''
  const sum = (pick: (file: ChangedFile) => number | undefined) =>
    files.reduce((all, file) => all + (pick(file) ?? 0), 0)
  return `+${sum((file) => file.additions)} −${sum((file) => file.deletions)}`
}

const bash: Teller = {
  subject: (call) => `bash: ${withoutDirectory(text(call.input.command), call.directory)}`,
  outcome: (call) => {
    const exit = exitCode(call)
    const short = cutShort(call.output)
    const ending = short ?? (exit === undefined ? 'done' : `exit ${exit ?? 'unknown'}`)
    const gist = withoutDirectory(gistOf(call.output, exit !== 0), call.directory)
    return gist === '' ? ending : `${ending}: ${gist}`
  },
}

const read: Teller = {
  subject: (call) => {
    const from = call.input.offset
    return `read ${filePath(call)}${typeof from === 'number' && from > 1 ? ` from line ${from}` : ''}`
  },
  outcome: ({ metadata }) => {
    const display = isObject(metadata.display) ? metadata.display : {}
    if (typeof display.totalEntries === 'number') return count(display.totalEntries, 'entry', 'entries')
    return typeof display.totalLines === 'number' ? count(display.totalLines, 'line') : ''
  },
}

const edit: Teller = { subject: (call) => `edit ${filePath(call)}`, outcome: lineTotals }

const write: Teller = {
  subject: (call) => `write ${filePath(call)}`,
  outcome: ({ input, metadata }) => {
    const lines = text(input.content).replace(/\n$/, '').split('\n').length
    return `${metadata.exists === false ? 'new, ' : ''}${count(lines, 'line')}`
  },
}

const patch: Teller = {
  subject: (call) => {
    const paths = changedFiles(call).map((file) => file.path)
    const named = paths.length > 0 ? paths : patchedPaths(text(call.input.patchText), call.directory)
    return named.length === 0 ? 'patch' : `patch ${named.join(', ')}`
  },
  outcome: lineTotals,
}

const search = (name: string, unit: string, plural: string, figure: string): Teller => ({
  subject: (call) => {
    const where = text(call.input.path)
    const place = where === '' ? '' : ` in ${relativePath(where, call.directory)}`
    return `${name} ${oneLine(text(call.input.pattern), 120)}${place}`
  },
  outcome: ({ metadata }) => (typeof metadata[figure] === 'number' ? count(metadata[figure], unit, plural) : ''),
})

const task: Teller = {
  subject: ({ input }) =>
    `subagent ${text(input.subagent_type) || 'general'}: ${text(input.description) || text(input.prompt)}`,
  outcome: ({ output }) => oneLine(/<task_result>([\s\S]*?)<\/task_result>/.exec(output)?.[1] ?? output, 160),
}

const todo: Teller = {
  subject: ({ input }) => {
    const todos = Array.isArray(input.todos) ? input.todos.filter(isObject) : []
    const done = todos.filter((entry) => entry.status === 'completed').length
    const current = todos.find((entry) => entry.status === 'in_progress')
    return `todo: ${done} of ${todos.length} done${current ? `, now: ${text(current.content)}` : ''}`
  },
}

const question: Teller = {
  subject: ({ input }) => {
    const asked = Array.isArray(input.questions) ? input.questions.filter(isObject) : []
    return `question: ${asked.map((entry) => text(entry.question)).join(' / ')}`
  },
  outcome: ({ metadata }) =>
    Array.isArray(metadata.answers) ? metadata.answers.map((answer) => [answer].flat().join(', ')).join(' / ') : '',
}

const other = (name: string): Teller => ({
  subject: (call) => {
    const about = call.title || compact(call.input)
    return about === '' ? name : `${name}: ${withoutDirectory(about, call.directory)}`
  },
  outcome: ({ output }) => oneLine(output.trim().split('\n', 1)[0] ?? '', 160),
})

const TELLERS: Readonly<Record<string, Teller>> = {
  bash,
  read,
  edit,
  multiedit: edit,
  write,
  patch,
  apply_patch: patch,
  glob: search('glob', 'file', 'files', 'count'),
  grep: search('grep', 'match', 'matches', 'matches'),
  list: { subject: (call) => `list ${relativePath(text(call.input.path), call.directory) || '.'}` },
  webfetch: { subject: ({ input }) => `fetch ${text(input.url)}` },
  websearch: { subject: ({ input }) => `web search: ${text(input.query)}` },
  skill: { subject: ({ input }) => `skill ${text(input.name)}` },
  task,
  todowrite: todo,
  question,
}

const teller = (tool: string): Teller => (Object.hasOwn(TELLERS, tool) ? TELLERS[tool] : undefined) ?? other(tool)

const patchedPaths = (patchText: string, directory: string): readonly string[] =>
  [...patchText.matchAll(/^\*\*\* (?:Add|Update|Delete) File: (.+)$/gm)].map((match) =>
    relativePath(match[1]?.trim() ?? '', directory),
  )

// The arguments of a tool that we do not know, such as one of an MCP server.
const compact = (input: Readonly<Record<string, unknown>>): string =>
  Object.entries(input)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
    .slice(0, 400)

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
