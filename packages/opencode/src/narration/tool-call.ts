// Describes a tool call: which file or command it is about, and its outcome.

import { isObject } from '@switchyard/contracts'
import { interruptionOf, summaryLineOf } from './command-output.ts'
import { count, oneLine, relativePath, withoutDirectory } from './text.ts'

export type ToolCall = {
  readonly tool: string
  readonly input: Readonly<Record<string, unknown>>
  readonly metadata: Readonly<Record<string, unknown>>
  readonly title: string
  readonly output: string
  readonly directory: string
}

/** A file that a call changed, with the number of added and removed lines if known. */
export type ChangedFile = { readonly path: string; readonly additions?: number; readonly deletions?: number }

type ToolDescriber = {
  /** Returns what the call is about, from its input alone. */
  readonly subject: (call: ToolCall) => string
  /** Returns the outcome, or an empty string. */
  readonly outcome?: (call: ToolCall) => string
}

/** Returns what the call is about: `bash: npm test`, `edit sum.js`, `grep "sum"`. */
export const subjectOf = (call: ToolCall): string => describer(call.tool).subject(call)

/** Returns the outcome, such as `exit 1: 2 failed` or `3 files`, or an empty string. */
export const outcomeOf = (call: ToolCall): string => (describer(call.tool).outcome ?? (() => ''))(call)

/** Returns the changed files from the metadata of an edit, write or patch. */
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

/** Returns the command's exit code, null when it did not exit by itself, or undefined for tools without one. */
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

const bash: ToolDescriber = {
  subject: (call) => `bash: ${withoutDirectory(text(call.input.command), call.directory)}`,
  outcome: (call) => {
    const exit = exitCode(call)
    const ending = interruptionOf(call.output) ?? (exit === undefined ? 'done' : `exit ${exit ?? 'unknown'}`)
    const line = withoutDirectory(summaryLineOf(call.output, exit !== 0), call.directory)
    return line === '' ? ending : `${ending}: ${line}`
  },
}

const read: ToolDescriber = {
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

const edit: ToolDescriber = { subject: (call) => `edit ${filePath(call)}`, outcome: lineTotals }

const write: ToolDescriber = {
  subject: (call) => `write ${filePath(call)}`,
  outcome: ({ input, metadata }) => {
    const lines = text(input.content).replace(/\n$/, '').split('\n').length
    return `${metadata.exists === false ? 'new, ' : ''}${count(lines, 'line')}`
  },
}

const patch: ToolDescriber = {
  subject: (call) => {
    const paths = changedFiles(call).map((file) => file.path)
    const named = paths.length > 0 ? paths : patchedPaths(text(call.input.patchText), call.directory)
    return named.length === 0 ? 'patch' : `patch ${named.join(', ')}`
  },
  outcome: lineTotals,
}

const search = (name: string, unit: string, plural: string, figure: string): ToolDescriber => ({
  subject: (call) => {
    const path = text(call.input.path)
    const location = path === '' ? '' : ` in ${relativePath(path, call.directory)}`
    return `${name} ${oneLine(text(call.input.pattern), 120)}${location}`
  },
  outcome: ({ metadata }) => (typeof metadata[figure] === 'number' ? count(metadata[figure], unit, plural) : ''),
})

const task: ToolDescriber = {
  subject: ({ input }) =>
    `subagent ${text(input.subagent_type) || 'general'}: ${text(input.description) || text(input.prompt)}`,
  outcome: ({ output }) => oneLine(/<task_result>([\s\S]*?)<\/task_result>/.exec(output)?.[1] ?? output, 160),
}

const todo: ToolDescriber = {
  subject: ({ input }) => {
    const todos = Array.isArray(input.todos) ? input.todos.filter(isObject) : []
    const done = todos.filter((entry) => entry.status === 'completed').length
    const current = todos.find((entry) => entry.status === 'in_progress')
    return `todo: ${done} of ${todos.length} done${current ? `, now: ${text(current.content)}` : ''}`
  },
}

const question: ToolDescriber = {
  subject: ({ input }) => {
    const questions = Array.isArray(input.questions) ? input.questions.filter(isObject) : []
    return `question: ${questions.map((entry) => text(entry.question)).join(' / ')}`
  },
  outcome: ({ metadata }) =>
    Array.isArray(metadata.answers) ? metadata.answers.map((answer) => [answer].flat().join(', ')).join(' / ') : '',
}

const otherTool = (name: string): ToolDescriber => ({
  subject: (call) => {
    const about = call.title || compact(call.input)
    return about === '' ? name : `${name}: ${withoutDirectory(about, call.directory)}`
  },
  outcome: ({ output }) => oneLine(output.trim().split('\n', 1)[0] ?? '', 160),
})

const DESCRIBERS: Readonly<Record<string, ToolDescriber>> = {
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

const describer = (tool: string): ToolDescriber =>
  (Object.hasOwn(DESCRIBERS, tool) ? DESCRIBERS[tool] : undefined) ?? otherTool(tool)

const patchedPaths = (patchText: string, directory: string): readonly string[] =>
  [...patchText.matchAll(/^\*\*\* (?:Add|Update|Delete) File: (.+)$/gm)].map((match) =>
    relativePath(match[1]?.trim() ?? '', directory),
  )

// Formats the arguments of an unknown tool, such as one of an MCP server.
const compact = (input: Readonly<Record<string, unknown>>): string =>
  Object.entries(input)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
    .slice(0, 400)

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
