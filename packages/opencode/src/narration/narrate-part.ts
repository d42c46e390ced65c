// Describes one part of an OpenCode message as events of the task.

import type {
  CompactionPart,
  FilePart,
  Message,
  Part,
  PatchPart,
  ReasoningPart,
  RetryPart,
  StepFinishPart,
  TextPart,
  ToolPart,
} from '@opencode-ai/sdk/v2'
import type { EventType, NewEvent } from '@switchyard/contracts'
import { boundedObject, boundedText, count, oneLine, relativePath, withoutDirectory } from './text.ts'
import { changedFiles, exitCode, outcomeOf, subjectOf, type ToolCall } from './tool-call.ts'
import { toUsage } from './turn-summary.ts'

/** The task that the part belongs to. */
export type NarrationContext = {
  /** The task's working directory. Paths in events are relative to it. */
  readonly directory: string
  /** The title of the subagent's session. Undefined for the task's own session. */
  readonly child?: string
}

const MAX_TEXT_BYTES = 32_768
const MAX_TOOL_BYTES = 4_096
const MAX_NAMED_FILES = 5

/**
 * Returns the events of the part's current state: none while it is incomplete, or when it is of no use to a reader. The same
 * state always has the same `source_key`.
 */
export const narratePart = (part: Part, message: Message, context: NarrationContext): readonly NewEvent[] => {
  const about = { part, message, context }
  switch (part.type) {
    case 'text':
      return narrateText(part, about)
    case 'reasoning':
      return narrateReasoning(part, about)
    case 'tool':
      return narrateTool(part, about)
    case 'step-finish':
      return [narrateStep(part, about)]
    case 'patch':
      return [narratePatch(part, about)]
    case 'file':
      return narrateFile(part, about)
    case 'retry':
      return [narrateRetry(part, about)]
    case 'compaction':
      return [narrateCompaction(part, about)]
    // A subtask also appears as a tool call; the others are markers for OpenCode itself.
    case 'subtask':
    case 'agent':
    case 'snapshot':
    case 'step-start':
      return []
    // A newer server may send types that this SDK does not have.
    default:
      return []
  }
}

type About = { readonly part: Part; readonly message: Message; readonly context: NarrationContext }

const event = (
  { part, message, context }: About,
  content: {
    readonly type?: EventType
    readonly state?: string
    readonly message: string
    readonly data: Readonly<Record<string, unknown>>
  },
): NewEvent => ({
  type: content.type ?? 'task_progress',
  message: oneLine(
    context.child === undefined ? content.message : `[${oneLine(context.child, 40)}] ${content.message}`,
  ),
  data: {
    ...content.data,
    session_id: part.sessionID,
    message_id: message.id,
    part_id: part.id,
    ...(context.child === undefined ? {} : { subagent: oneLine(context.child) }),
  },
  source_key: content.state === undefined ? `part:${part.id}` : `part:${part.id}:${content.state}`,
})

// A part has no end when its server died in the middle, but its message may have one.
const isFinished = (part: TextPart | ReasoningPart, message: Message): boolean =>
  part.time?.end !== undefined || (message.role === 'assistant' && message.time.completed !== undefined)

const narrateText = (part: TextPart, about: About): readonly NewEvent[] => {
  const { message } = about
  // The user's own messages become events when they are accepted, not when OpenCode repeats them.
  if (message.role !== 'assistant' || part.synthetic || part.ignored || !isFinished(part, message)) return []
  if (part.text.trim() === '') return []
  const stored = boundedText(part.text, MAX_TEXT_BYTES)
  const summary = message.summary === true
  return [
    event(about, {
      message: summary ? `compacted: ${part.text}` : part.text,
      data: { kind: summary ? 'summary' : 'text', text: stored.text, truncated: stored.truncated },
    }),
  ]
}

const narrateReasoning = (part: ReasoningPart, about: About): readonly NewEvent[] => {
  if (!isFinished(part, about.message) || part.text.trim() === '') return []
  const stored = boundedText(part.text, MAX_TEXT_BYTES)
  return [
    event(about, {
      message: `thinking: ${part.text}`,
      data: { kind: 'reasoning', text: stored.text, truncated: stored.truncated },
    }),
  ]
}

const narrateTool = (part: ToolPart, about: About): readonly NewEvent[] => {
  const { state } = part
  const refused = part.tool === 'invalid'
  // A pending call has no complete input yet, and a refused call never runs.
  if (state.status === 'pending' || (refused && state.status === 'running')) return []
  const call = toolCall(part, about.context.directory)
  const failed = refused || state.status === 'error'
  const error = state.status === 'error' ? state.error : text(state.input.error) || call.output
  return [
    event(about, {
      state: state.status === 'running' ? 'running' : 'completed',
      message: toolMessage(call, failed ? error : undefined, state.status === 'running'),
      data: toolData(part, call, failed ? error : undefined),
    }),
  ]
}

const toolMessage = (call: ToolCall, error: string | undefined, running: boolean): string => {
  const subject = oneLine(subjectOf(call), 160)
  if (running) return `${subject} …`
  if (error !== undefined) return `${subject} → failed: ${withoutDirectory(error, call.directory)}`
  const outcome = outcomeOf(call)
  if (outcome === '') return subject
  return IN_BRACKETS.has(call.tool) ? `${subject} (${outcome})` : `${subject} → ${outcome}`
}

const IN_BRACKETS = new Set(['read', 'edit', 'multiedit', 'write', 'patch', 'apply_patch'])

const toolCall = (part: ToolPart, directory: string): ToolCall => {
  const { state } = part
  const refused = part.tool === 'invalid' ? text(state.input.tool) : ''
  return {
    tool: refused || part.tool,
    input: refused === '' ? state.input : {},
    metadata: (state.status === 'pending' ? undefined : state.metadata) ?? {},
    title: refused === '' && (state.status === 'running' || state.status === 'completed') ? (state.title ?? '') : '',
    output: state.status === 'completed' ? state.output : '',
    directory,
  }
}

const toolData = (part: ToolPart, call: ToolCall, error: string | undefined): Readonly<Record<string, unknown>> => {
  const { state } = part
  const input = boundedObject(state.input, MAX_TOOL_BYTES)
  const output = boundedText(call.output, MAX_TOOL_BYTES)
  const exit = exitCode(call)
  const files = state.status === 'completed' ? changedFiles(call) : []
  const child = text(call.metadata.sessionId)
  const end = state.status === 'completed' || state.status === 'error' ? state.time : undefined
  return {
    kind: 'tool',
    tool: call.tool,
    state: error !== undefined ? 'error' : state.status,
    call_id: part.callID,
    title: oneLine(call.title),
    input: input.value,
    ...(state.status === 'completed' && error === undefined ? { output: output.text } : {}),
    ...(error === undefined ? {} : { error: boundedText(error, MAX_TOOL_BYTES).text }),
    truncated: input.truncated || output.truncated || call.metadata.truncated === true,
    ...(exit === undefined ? {} : { exit_code: exit }),
    ...(end === undefined ? {} : { duration_ms: Math.max(0, end.end - end.start) }),
    ...(files.length === 0 ? {} : { files }),
    ...(child === '' ? {} : { child_session_id: child }),
  }
}

const narrateStep = (part: StepFinishPart, about: About): NewEvent => {
  const usage = toUsage(part.tokens)
  const read = usage.input + usage.cache_read + usage.cache_write
  const price = part.cost > 0 ? `, $${part.cost.toFixed(4)}` : ''
  return event(about, {
    message: `step done: ${count(read, 'token')} in, ${(usage.output + usage.reasoning).toLocaleString('en')} out${price}`,
    data: { kind: 'step', finish: part.reason, usage, cost: part.cost },
  })
}

const narratePatch = (part: PatchPart, about: About): NewEvent => {
  const files = part.files.map((file) => relativePath(file, about.context.directory))
  const more = files.length > MAX_NAMED_FILES ? ` and ${files.length - MAX_NAMED_FILES} more` : ''
  return event(about, {
    type: 'task_artifact',
    message: `changed ${files.slice(0, MAX_NAMED_FILES).join(', ')}${more}`,
    data: { kind: 'patch', hash: part.hash, files: files.slice(0, 1_000) },
  })
}

const narrateFile = (part: FilePart, about: About): readonly NewEvent[] => {
  if (about.message.role !== 'assistant') return []
  const name = part.filename ?? (part.source && 'path' in part.source ? part.source.path : undefined)
  const path = name === undefined ? null : relativePath(name, about.context.directory)
  return [
    event(about, {
      type: 'task_artifact',
      message: `file ${path ?? part.mime}`,
      data: {
        kind: 'file',
        mime: part.mime,
        path,
        // A data URL contains the file itself, which is too large for an event.
        url: part.url.startsWith('data:') ? null : boundedText(part.url, 2_000).text,
      },
    }),
  ]
}

const narrateRetry = (part: RetryPart, about: About): NewEvent =>
  event(about, {
    message: `model request failed; retrying (attempt ${part.attempt}): ${part.error.data.message}`,
    data: {
      kind: 'retry',
      attempt: part.attempt,
      error: boundedText(part.error.data.message, 2_000).text,
      status: part.error.data.statusCode ?? null,
    },
  })

const narrateCompaction = (part: CompactionPart, about: About): NewEvent =>
  event(about, {
    message: part.overflow
      ? 'the conversation is too long for the model; compacting it'
      : 'compacting the conversation to free context',
    data: { kind: 'compaction', auto: part.auto, overflow: part.overflow ?? false },
  })

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
