// What OpenCode's own log, on a container's standard error, says that its JSON output does not.

/** The last lines that are no routine, for the message of a failure. */
const KEPT_LINES = 8
const MAX_LINE = 300

// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal
const COLOURS = /\u001b\[[0-9;]*m/g

export class LogWords {
  #tail: string[] = []
  /** provider/model of the task's own session. */
  model: string | null = null
  /** The agent that was asked for and is not there: OpenCode would go on with another one. */
  missingAgent: string | null = null
  /** OpenCode does not have the model; its JSON output says "unexpected server error". */
  missingModel = false

  take(line: string): void {
    const text = line.replace(COLOURS, '').trim()
    if (text === '') return
    const stream = /message=stream providerID=(\S+) modelID=(\S+) .*small=false/.exec(text)
    if (stream) this.model = `${stream[1]}/${stream[2]}`
    this.missingAgent ??= /agent "(.+)" not found\. Falling back/.exec(text)?.[1] ?? null
    this.missingModel ||= /ProviderModelNotFoundError|Model not found/.test(text)
    if (/ level=(INFO|DEBUG) /.test(text)) return
    this.#tail = [...this.#tail, text.slice(0, MAX_LINE)].slice(-KEPT_LINES)
  }

  /** Empty, or starting with ": ". */
  get tail(): string {
    return this.#tail.length > 0 ? `: ${this.#tail.join(' | ')}` : ''
  }
}
