// Reads a chat completion request: its kind, the script that it follows, and the turn to play next.

import { createHash } from 'node:crypto'
import { type FoundScript, findScript, type Turn, toTurns } from './script.ts'

type ChatMessage = {
  readonly role: string
  readonly content?: unknown
  readonly tool_calls?: readonly { readonly function: { readonly name: string; readonly arguments: string } }[]
}

export type ChatRequest = {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly stream?: boolean
  readonly stream_options?: { readonly include_usage?: boolean }
  readonly tools?: readonly { readonly function: { readonly name: string } }[]
}

/**
 * `turn`: a turn of the agent. `title` and `compaction`: calls that OpenCode makes for its own
 * purposes.
 */
export type CallKind = 'turn' | 'title' | 'compaction'

export type Conversation = {
  readonly kind: CallKind
  /** Identifies the scripted message across calls, so that its failures can be counted. */
  readonly key: string
  /** The last user message without its script. */
  readonly lastUser: string
  readonly lastToolOutput: string
  /** The working directory that the system prompt names; empty if it names none. */
  readonly directory: string
  /** Whether the conversation follows a script. */
  readonly scripted: boolean
  /** Number of the turn in the script, from 0. */
  readonly index: number
  /** The turn to play; undefined without a script or after its end. */
  readonly turn: Turn | undefined
  /** The remaining turns, including this one. */
  readonly remaining: readonly Turn[]
  /** Whether a user message follows the one with the script. */
  readonly steered: boolean
}

/**
 * Returns everything that decides the answer, from the request alone. The conversation follows the
 * script in its last user message that has one. The number of assistant messages since then is the
 * number of the turn.
 */
export const readConversation = (request: ChatRequest, sessionKey: string | undefined): Conversation => {
  const { messages } = request
  const texts = messages.map((message) => textOf(message.content))
  const system = texts.filter((_, at) => messages[at]?.role === 'system').join('\n')
  const lastUserAt = messages.findLastIndex((message) => message.role === 'user')
  const lastUser = withoutReminder(texts[lastUserAt] ?? '')
  const { found, at } = findLastScript(messages, texts)
  const index = messages.slice(at + 1).filter(isAssistant).length
  const turns = found?.turns ?? []
  return {
    kind: kindOf(system, texts),
    key: `${sessionKey ?? ''}:${hash(texts.slice(0, at + 1).join('\u0001'))}`,
    lastUser: withoutScript(lastUser),
    lastToolOutput: texts[messages.findLastIndex((message) => message.role === 'tool')] ?? '',
    directory: /Working directory: (.+)/.exec(system)?.[1]?.trim() ?? '',
    scripted: found !== undefined,
    index,
    turn: turns[index],
    remaining: turns.slice(index),
    steered: found !== undefined && lastUserAt > at,
  }
}

const findLastScript = (
  messages: readonly ChatMessage[],
  texts: readonly string[],
): { readonly found: FoundScript | undefined; readonly at: number } => {
  for (let at = messages.length - 1; at >= 0; at -= 1) {
    const text = texts[at] ?? ''
    if (messages[at]?.role === 'user') {
      const found = findScript(text)
      if (found) return { found, at }
    }
    // A compaction replaces the messages with a summary. The scripted model puts the rest of the
    // script into it.
    const rest = messages[at]?.role === 'assistant' ? findRest(text) : undefined
    if (rest) return { found: rest, at }
  }
  return { found: undefined, at: messages.findLastIndex((message) => message.role === 'user') }
}

const REST = /\[\[rest of script: ([A-Za-z0-9+/=]+) \]\]/

/** Returns the text that a summary contains so that the script continues after a compaction. */
export const restOfScript = (turns: readonly Turn[]): string => {
  const steps = turns.flatMap((turn) => [...turn.preludes, turn.step])
  return `[[rest of script: ${Buffer.from(JSON.stringify(steps)).toString('base64')} ]]`
}

const findRest = (text: string): FoundScript | undefined => {
  const coded = REST.exec(text)?.[1]
  if (coded === undefined) return undefined
  return { turns: toTurns(JSON.parse(Buffer.from(coded, 'base64').toString('utf8'))), around: '' }
}

const kindOf = (system: string, texts: readonly string[]): CallKind => {
  if (/you are a title generator/i.test(system)) return 'title'
  if (texts.some((text) => text.startsWith('Generate a title for this conversation'))) return 'title'
  if (/context summarization agent|summarizing conversations/i.test(system)) return 'compaction'
  return 'turn'
}

const isAssistant = (message: ChatMessage): boolean => message.role === 'assistant'

const withoutScript = (text: string): string => {
  const found = findScript(text)
  return found ? found.around : text.trim()
}

// OpenCode wraps a message that arrives while the agent works in a reminder.
const withoutReminder = (text: string): string => {
  const wrapped =
    /<system-reminder>\s*The user sent the following message:\s*([\s\S]*?)\s*Please address this message/.exec(text)
  return wrapped?.[1] ?? text
}

const textOf = (content: unknown): string => {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part) => (typeof part?.text === 'string' ? part.text : '')).join('\n')
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)
