// Creates the scripted model's answer to a conversation: text, reasoning, tool calls and token
// counts.

import { type Conversation, restOfScript } from './conversation.ts'
import { type ScriptedUsage, type ScriptStep, toolCallsOf } from './script.ts'

/**
 * Token counts of a turn whose step has no `usage`: round figures, so that a reader can compute
 * totals.
 */
export const DEFAULT_USAGE = { input: 100, output: 10, reasoning: 0, cache_read: 0 } as const satisfies ScriptedUsage

export type Reply = {
  readonly text: string
  readonly think: string
  readonly calls: readonly { readonly name: string; readonly arguments: string }[]
  readonly chunks: number
  readonly delayMs: number
  readonly usage: Required<ScriptedUsage>
  readonly finish: string
}

/** Returns the answer to a conversation, without the waits and failures that may precede it. */
export const replyTo = (conversation: Conversation): Reply => {
  if (conversation.kind === 'title') return textReply(titleOf(conversation.lastUser))
  if (conversation.kind === 'compaction') {
    return textReply(`Summary of the work so far. ${restOfScript(conversation.remaining)}`)
  }
  if (!conversation.scripted) return textReply(`You said: ${oneLine(conversation.lastUser, 500)}`)
  const { turn } = conversation
  if (turn === undefined || Object.keys(turn.step).length === 0) return textReply(closingText(conversation))
  return stepReply(turn.step, conversation)
}

const stepReply = (step: ScriptStep, conversation: Conversation): Reply => {
  const calls = toolCallsOf(step).map((call) => ({
    name: call.tool,
    arguments: JSON.stringify(fillIn(call.args ?? {}, conversation)),
  }))
  const chunks = step.stream?.chunks ?? 1
  return {
    text: step.say === undefined ? placeholderText(step.stream ? chunks : 0) : fillInText(step.say, conversation),
    think: step.think ?? '',
    calls,
    chunks,
    delayMs: step.stream?.delay_ms ?? 0,
    usage: { ...DEFAULT_USAGE, ...step.usage },
    finish: step.finish ?? (calls.length > 0 ? 'tool_calls' : 'stop'),
  }
}

const textReply = (text: string): Reply => ({
  text,
  think: '',
  calls: [],
  chunks: 1,
  delayMs: 0,
  usage: DEFAULT_USAGE,
  finish: 'stop',
})

// Shows a test that a message reached a session whose script had ended.
const closingText = (conversation: Conversation): string =>
  conversation.steered ? `Acknowledged: ${conversation.lastUser}` : 'Done.'

const fillInText = (text: string, conversation: Conversation): string =>
  text
    .replaceAll('{{last_user}}', () => conversation.lastUser)
    .replaceAll('{{last_tool_output}}', () => conversation.lastToolOutput)
    .replaceAll('{{directory}}', () => conversation.directory)

// A nested script (in the prompt of a subagent) fills in its own templates.
const fillIn = (value: unknown, conversation: Conversation): unknown => {
  if (typeof value === 'string') return value.includes('[[script:') ? value : fillInText(value, conversation)
  if (Array.isArray(value)) return value.map((item) => fillIn(item, conversation))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, conversation)]))
  }
  return value
}

const placeholderText = (words: number): string => Array.from({ length: words }, (_, at) => `word${at + 1} `).join('')

const titleOf = (text: string): string => oneLine(text, 60) || 'A task'

const oneLine = (text: string, max: number): string => text.replace(/\s+/g, ' ').trim().slice(0, max)
