// What the scripted model answers to a conversation: text, reasoning, tool calls and token counts.

import { type Conversation, restOfScript } from './conversation.ts'
import { type ScriptedUsage, type ScriptStep, toolCallsOf } from './script.ts'

/** What every turn costs unless its step says otherwise, so that totals can be reckoned. */
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

/** The answer to a conversation, without the waiting and failing that may come before it. */
export const replyTo = (conversation: Conversation): Reply => {
  if (conversation.kind === 'title') return spoken(titleOf(conversation.lastUser))
  if (conversation.kind === 'compaction') {
    return spoken(`Summary of the work so far. ${restOfScript(conversation.remaining)}`)
  }
  if (!conversation.scripted) return spoken(`You said: ${oneLine(conversation.lastUser, 500)}`)
  const { turn } = conversation
  if (turn === undefined || Object.keys(turn.step).length === 0) return spoken(lastWords(conversation))
  return stepReply(turn.step, conversation)
}

const stepReply = (step: ScriptStep, conversation: Conversation): Reply => {
  const calls = toolCallsOf(step).map((call) => ({
    name: call.tool,
    arguments: JSON.stringify(fillIn(call.args ?? {}, conversation)),
  }))
  const chunks = step.stream?.chunks ?? 1
  return {
    text: step.say === undefined ? madeUp(step.stream ? chunks : 0) : fillInText(step.say, conversation),
    think: step.think ?? '',
    calls,
    chunks,
    delayMs: step.stream?.delay_ms ?? 0,
    usage: { ...DEFAULT_USAGE, ...step.usage },
    finish: step.finish ?? (calls.length > 0 ? 'tool_calls' : 'stop'),
  }
}

const spoken = (text: string): Reply => ({
  text,
  think: '',
  calls: [],
  chunks: 1,
  delayMs: 0,
  usage: DEFAULT_USAGE,
  finish: 'stop',
})

// Without this a test could not see that a message reached a session whose script had ended.
const lastWords = (conversation: Conversation): string =>
  conversation.steered ? `Acknowledged: ${conversation.lastUser}` : 'Done.'

const fillInText = (text: string, conversation: Conversation): string =>
  text
    .replaceAll('{{last_user}}', () => conversation.lastUser)
    .replaceAll('{{last_tool_output}}', () => conversation.lastToolOutput)
    .replaceAll('{{directory}}', () => conversation.directory)

// A nested script (the prompt of a subagent) has templates of its own.
const fillIn = (value: unknown, conversation: Conversation): unknown => {
  if (typeof value === 'string') return value.includes('[[script:') ? value : fillInText(value, conversation)
  if (Array.isArray(value)) return value.map((item) => fillIn(item, conversation))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, conversation)]))
  }
  return value
}

const madeUp = (words: number): string => Array.from({ length: words }, (_, at) => `word${at + 1} `).join('')

const titleOf = (text: string): string => oneLine(text, 60) || 'A task'

const oneLine = (text: string, max: number): string => text.replace(/\s+/g, ' ').trim().slice(0, max)
