// The script of a scripted model: what it says and which tools it calls, written inside the user's own prompt.

/** One tool call. `args` are the tool's own arguments; strings in them may hold `{{…}}` templates. */
export type ScriptedToolCall = { readonly tool: string; readonly args?: Readonly<Record<string, unknown>> }

/** Token counts in OpenCode's own terms: what a step reports is what the message shows. */
export type ScriptedUsage = {
  readonly input?: number
  readonly output?: number
  readonly reasoning?: number
  readonly cache_read?: number
}

/** An HTTP failure in place of an answer. */
export type ScriptedFailure = {
  readonly status: number
  /** How often before the step is answered; default 1. 0: for ever. */
  readonly times?: number
  readonly message?: string
  /** Sent as `retry-after-ms` so that a retry comes soon; default 50 ms. */
  readonly retry_after_ms?: number
}

/**
 * One model turn. A step that neither speaks nor calls a tool (only `wait`, `hold`, `fail` or `drop`)
 * is no turn of its own: it happens before the next one.
 *
 * A step that calls no tool ends the session's turn; the steps after it wait for the next user message.
 */
export type ScriptStep = {
  readonly say?: string
  /** Reasoning text that comes before the answer. */
  readonly think?: string
  readonly tool?: string
  readonly args?: Readonly<Record<string, unknown>>
  /** Several tool calls in one turn; they come after `tool`, if both are there. */
  readonly tools?: readonly ScriptedToolCall[]
  /** Milliseconds until the answer, with the connection held open. */
  readonly wait?: number
  /** Holds the answer until this name is released. A name that is released once stays so. */
  readonly hold?: string
  /** Cuts the text into `chunks` pieces, `delay_ms` apart. Without `say` the text is made up. */
  readonly stream?: { readonly chunks: number; readonly delay_ms: number }
  readonly fail?: ScriptedFailure
  /** Cuts the socket in the middle of the answer: once, or as often as it says. */
  readonly drop?: true | { readonly times: number }
  readonly usage?: ScriptedUsage
  /** The finish reason of the wire, such as `length` or `content_filter`; default `stop` or `tool_calls`. */
  readonly finish?: string
}

/** What happens before a turn is answered, in this order. */
export type Prelude = Pick<ScriptStep, 'wait' | 'hold' | 'fail' | 'drop'>

/** A turn with everything that happens before it. */
export type Turn = { readonly preludes: readonly Prelude[]; readonly step: ScriptStep }

/** A script as found in a text: its turns, and the text around it. */
export type FoundScript = { readonly turns: readonly Turn[]; readonly around: string }

const MARKER = '[[script:'

/**
 * The steps as text for a prompt.
 *
 * @example `Fix the test. ${script([{ tool: 'bash', args: { command: 'npm test' } }, { say: 'done' }])}`
 */
export const script = (steps: readonly ScriptStep[]): string => `${MARKER} ${JSON.stringify(steps)} ]]`

/**
 * Finds the first script in a text. Steps may hold further scripts (for subagents) inside their strings.
 *
 * @throws Error when there is a marker but no JSON array of steps behind it.
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

/** Puts each step that is no turn of its own before the one that follows. */
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

/** The tool calls of a step, in order. */
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

// JSON strings may hold brackets, so the end is found by reading, not by searching for "]]".
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
