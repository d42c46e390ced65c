// What `opencode run --format json` prints, turned into the messages and events that a server would have given.

import type { AssistantMessage, Part, StepFinishPart } from '@opencode-ai/sdk/v2'
import { isObject, type ModelRef, type NewEvent, parseModel, SwitchyardError } from '@switchyard/contracts'
import type { SessionMessage } from '../client/session-types.ts'
import { parseObject } from '../json-object.ts'
import { Narrator } from '../narration/narrator.ts'
import { asRunning } from '../narration/running-state.ts'
import type { OpenCodeFailure } from '../narration/task-error.ts'
import { keptPart, Room } from './retained-part.ts'

/**
 * One line: `{ type, timestamp, sessionID, part }` for a part that is complete, `{ type: "error", sessionID, error }` for the end
 * of a turn that failed. Parts of subagents are not printed, nor is what the user says.
 */
type RunLine =
  | { readonly kind: 'part'; readonly sessionId: string; readonly at: number; readonly part: Part }
  | { readonly kind: 'error'; readonly sessionId: string; readonly at: number; readonly error: OpenCodeFailure }

/** Of one transcript, bytes: some ten thousand parts, or the longest answers by the dozen. */
const ROOM_BYTES = 32 * 1_048_576
/** OpenCode's ids have 30 characters; each is stored and part of its events. */
const MAX_ID = 128

const UNKNOWN_MODEL: ModelRef = { providerID: '', modelID: '' }

const isId = (value: unknown): value is string => typeof value === 'string' && value.length <= MAX_ID

const PARTS: ReadonlySet<string> = new Set(['step_start', 'step_finish', 'text', 'reasoning', 'tool_use'])

/** @returns undefined for a line that is not OpenCode's: a plugin may write to the same place. */
const parseLine = (text: string): RunLine | undefined => {
  const line = parseObject(text)
  if (!line || !isId(line.sessionID) || typeof line.type !== 'string') return undefined
  const at = typeof line.timestamp === 'number' ? line.timestamp : Date.now()
  const base = { sessionId: line.sessionID, at }
  if (line.type === 'error' && isObject(line.error))
    return { ...base, kind: 'error', error: line.error as OpenCodeFailure }
  if (!PARTS.has(line.type) || !isObject(line.part)) return undefined
  const { part } = line
  if (!isId(part.id) || !isId(part.messageID) || typeof part.type !== 'string') return undefined
  return { ...base, kind: 'part', part: { ...part, sessionID: line.sessionID } as Part }
}

type Draft = { info: AssistantMessage; readonly parts: Part[] }

const NO_TOKENS: AssistantMessage['tokens'] = { input: 0, output: 0, reasoning: 0, cache: { read: 0, write: 0 } }

const addTokens = (a: AssistantMessage['tokens'], b: StepFinishPart['tokens']): AssistantMessage['tokens'] => ({
  input: a.input + b.input,
  output: a.output + b.output,
  reasoning: a.reasoning + b.reasoning,
  cache: { read: a.cache.read + b.cache.read, write: a.cache.write + b.cache.write },
})

/**
 * The transcript of one session over one or more runs.
 *
 * Lines may be added again from the start: known ones change nothing and are not reported twice. It retains only what a turn's
 * summary needs.
 *
 * @example for (const line of printed) await record.append(transcript.addLine(line))
 */
export class RunTranscript {
  readonly #directory: string
  readonly #narrator = new Narrator()
  readonly #messages = new Map<string, Draft>()
  readonly #seen = new Set<string>()
  readonly #room = new Room(ROOM_BYTES)
  #hadSubagents = false
  #model: ModelRef = UNKNOWN_MODEL
  #sessionId: string | null

  /** @param model - provider/model, where it is known before the first line. */
  constructor(directory: string, sessionId: string | null, model: string | null) {
    this.#directory = directory
    this.#sessionId = sessionId
    if (model !== null) this.setModel(model)
  }

  /** Null until the first line. */
  get sessionId(): string | null {
    return this.#sessionId
  }

  /** @param model - provider/model, as the run has chosen it. */
  setModel(model: string): void {
    this.#model = parseModel(model) ?? UNKNOWN_MODEL
  }

  /** All messages so far, in the order in which they began. */
  get messages(): readonly SessionMessage[] {
    return [...this.#messages.values()]
  }

  /** The messages that answer this prompt. */
  messagesOf(promptId: string): readonly SessionMessage[] {
    return this.messages.filter(({ info }) => info.role === 'assistant' && info.parentID === promptId)
  }

  /**
   * Takes one printed line.
   *
   * @param promptId - of the run that printed it.
   * @returns its events; undefined where the line is not OpenCode's.
   * @throws SwitchyardError `output_limit` where there is more than is kept of any task.
   */
  addLine(text: string, promptId: string): readonly NewEvent[] | undefined {
    const line = parseLine(text)
    if (!line) return undefined
    this.#sessionId ??= line.sessionId
    if (line.kind === 'error') {
      this.#room.take(text)
      this.#fail(line, promptId)
      return []
    }
    const { part } = line
    const draft = this.#messages.get(part.messageID) ?? this.#begin(part.messageID, line, promptId)
    if (!this.#seen.has(part.id)) {
      this.#seen.add(part.id)
      this.#keep(draft, part)
      if (part.type === 'step-finish') this.#finishStep(draft, part, line.at)
    }
    const context = { directory: this.#directory }
    const before = part.type === 'tool' ? asRunning(part) : undefined
    return [
      ...(before ? this.#narrator.narrate(before, draft.info, context) : []),
      ...this.#narrator.narrate(part, draft.info, context),
    ]
  }

  #keep(draft: Draft, part: Part): void {
    const kept = keptPart(part)
    this.#room.takePart(kept)
    if (this.#room.isFull)
      throw new SwitchyardError(
        'output_limit',
        `the container has printed more than the ${this.#room.bytes / 1_048_576} MiB that are kept of a task in memory`,
        { hint: 'Something in the container writes to OpenCode’s output, or the task is to be cut into smaller ones.' },
      )
    if (kept) draft.parts.push(kept)
    this.#hadSubagents ||= isOfSubagent(part)
  }

  #begin(id: string, line: RunLine, promptId: string): Draft {
    const draft: Draft = {
      parts: [],
      info: {
        id,
        sessionID: line.sessionId,
        role: 'assistant',
        time: { created: line.at },
        parentID: promptId,
        ...this.#model,
        mode: '',
        agent: '',
        path: { cwd: this.#directory, root: this.#directory },
        cost: 0,
        tokens: NO_TOKENS,
      },
    }
    this.#messages.set(id, draft)
    return draft
  }

  #finishStep(draft: Draft, part: StepFinishPart, at: number): void {
    const { info } = draft
    draft.info = {
      ...info,
      ...this.#model,
      finish: part.reason,
      cost: info.cost + part.cost,
      tokens: addTokens(info.tokens, part.tokens),
      time: { ...info.time, completed: at },
    }
  }

  /** The error belongs to the answer that it broke off; where none had begun it is one of its own. */
  #fail(line: Extract<RunLine, { kind: 'error' }>, promptId: string): void {
    const last = [...this.#messages.values()].findLast(({ info }) => info.parentID === promptId)
    const broken = last?.info.time.completed === undefined ? last : undefined
    const draft = broken ?? this.#begin(`error:${promptId}`, line, promptId)
    draft.info = { ...draft.info, error: line.error, time: { ...draft.info.time, completed: line.at } }
  }

  /** Whether it has had subagents, of which nothing is printed. */
  get hadSubagents(): boolean {
    return this.#hadSubagents
  }
}

const isOfSubagent = (part: Part): boolean =>
  part.type === 'tool' && 'metadata' in part.state && part.state.metadata?.sessionId !== undefined
