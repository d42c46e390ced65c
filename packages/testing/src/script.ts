// The script of the scripted model: its answers and tool calls, written in the user's prompt.

/**
 * One tool call. `args` are the tool's arguments; strings in them may contain `{{…}}` templates.
 */
export type ScriptedToolCall = { readonly tool: string; readonly args?: Readonly<Record<string, unknown>> }

/** Token counts, as OpenCode's message shows them. */
export type ScriptedUsage = {
  readonly input?: number
  readonly output?: number
  readonly reasoning?: number
  readonly cache_read?: number
}

/** An HTTP error instead of an answer. */
export type ScriptedFailure = {
  readonly status: number
  /** Number of failures before the step is answered; default 1. 0: always fail. */
  readonly times?: number
  readonly message?: string
  /** Sent as `retry-after-ms`, so that OpenCode retries soon; default 50 ms. */
  readonly retry_after_ms?: number
}

/**
 * One turn of the model. A step with only `wait`, `hold`, `fail` or `drop` is not a turn: it
 * happens before the next one.
 *
 * A step that calls no tool ends the session's turn; the steps after it wait for the next user
 * message.
 */
export type ScriptStep = {
  readonly say?: string
  /** Reasoning text before the answer. */
  readonly think?: string
  readonly tool?: string
  readonly args?: Readonly<Record<string, unknown>>
  /** Several tool calls in one turn, after that of `tool` if both are set. */
  readonly tools?: readonly ScriptedToolCall[]
  /** Milliseconds before the answer; the connection stays open. */
  readonly wait?: number
  /** Delays the answer until this name is released. A released name stays released. */
  readonly hold?: string
  /**
   * Streams the text in `chunks` pieces, `delay_ms` apart. Without `say` the text is a placeholder.
   */
  readonly stream?: { readonly chunks: number; readonly delay_ms: number }
  readonly fail?: ScriptedFailure
  /** Closes the connection in the middle of the answer: once, or `times` times. */
  readonly drop?: true | { readonly times: number }
  readonly usage?: ScriptedUsage
  /** The finish reason, such as `length` or `content_filter`; default `stop` or `tool_calls`. */
  readonly finish?: string
}

/** What happens before a turn is answered, in this order. */
export type Prelude = Pick<ScriptStep, 'wait' | 'hold' | 'fail' | 'drop'>

/** A turn with everything that happens before it. */
export type Turn = { readonly preludes: readonly Prelude[]; readonly step: ScriptStep }

/** A script in a text: its turns, and the text around it. */
export type FoundScript = { readonly turns: readonly Turn[]; readonly around: string }

const MARKER = '[[script:'

/**
 * Returns the steps as text for a prompt.
 *
 * @example `Fix the test. ${script([{ tool: 'bash', args: { command: 'npm test' } }, { say: 'done'
 *   }])}`
 */
export const script = (steps: readonly ScriptStep[]): string => `${MARKER} ${JSON.stringify(steps)} ]]`

/**
 * Returns the first script in a text. Strings of its steps may contain further scripts, for
 * subagents.
 *
 * @throws Error if no JSON array of steps follows the marker
 */
export const findScript = (text: string): FoundScript | undefined => {
  const start = text.indexOf(MARKER)
  if (start < 0) return undefined
  const from = start + MARKER.length
  const end = endOfArray(text, from)
  const steps = parseSteps(text.slice(from, end))
  const close = text.indexOf(']]', end)
  const rest = close >= 0 && text.slice(end, close).trim() === '' ? text.slice(close + 2) : text.slice(end)
  return { turns: toTurns(steps), around: `${text.slice(0, start)}${rest}`.trim() }
}

/** Converts steps to turns: a step that is not a turn becomes a prelude of the next one. */
export const toTurns = (steps: readonly ScriptStep[]): readonly Turn[] => {
  const turns: Turn[] = []
  let preludes: Prelude[] = []
  for (const step of steps) {
    const { wait, hold, fail, drop, ...answer } = step
    preludes.push({
      ...(wait === undefined ? {} : { wait }),
      ...(hold === undefined ? {} : { hold }),
      ...(fail === undefined ? {} : { fail }),
      ...(drop === undefined ? {} : { drop }),
    })
    if (!isTurn(answer)) continue
    turns.push({ preludes: preludes.filter((prelude) => Object.keys(prelude).length > 0), step: answer })
    preludes = []
  }
  if (preludes.length > 0) turns.push({ preludes, step: {} })
  return turns
}

/** Returns the tool calls of a step, in order. */
export const toolCallsOf = (step: ScriptStep): readonly ScriptedToolCall[] => [
  ...(step.tool === undefined ? [] : [{ tool: step.tool, args: step.args ?? {} }]),
  ...(step.tools ?? []),
]

const isTurn = (step: ScriptStep): boolean =>
  step.say !== undefined ||
  step.think !== undefined ||
  step.tool !== undefined ||
  step.tools !== undefined ||
  step.stream !== undefined ||
  step.finish !== undefined

const parseSteps = (json: string): readonly ScriptStep[] => {
  const steps: unknown = JSON.parse(json)
  if (!Array.isArray(steps) || steps.some((step) => typeof step !== 'object' || step === null)) {
    throw new Error('a script is a JSON array of steps')
  }
  return steps as readonly ScriptStep[]
}

// JSON strings may contain brackets, so searching for "]]" would find the wrong end.
const endOfArray = (text: string, from: number): number => {
  let depth = 0
  let inString = false
  for (let at = from; at < text.length; at += 1) {
    const char = text[at]
    if (inString) {
      if (char === '\\') at += 1
      else if (char === '"') inString = false
    } else if (char === '"') inString = true
    else if (char === '[' || char === '{') depth += 1
    else if (char === ']' || char === '}') {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  throw new Error('the script is not closed')
}
