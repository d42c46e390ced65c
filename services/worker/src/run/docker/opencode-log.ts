// What OpenCode's own log, on a container's standard error, says that its JSON output does not.

/** How many lines a failure quotes; routine lines do not count. */
const TAIL_LINES = 8
const MAX_LINE = 300

// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal
const COLOURS = /\u001b\[[0-9;]*m/g

export class OpenCodeLog {
  #tail: string[] = []
  /** `provider/model` of the task's own session. */
  model: string | null = null
  /** The task's agent, if OpenCode does not have it. OpenCode would continue with another agent. */
  missingAgent: string | null = null
  /**
   * Whether OpenCode does not have the model. Its JSON output says only "unexpected server error"
   * then.
   */
  isModelMissing = false

  read(line: string): void {
    const text = line.replace(COLOURS, '').trim()
    if (text === '') return
    const stream = /message=stream providerID=(\S+) modelID=(\S+) .*small=false/.exec(text)
    if (stream) this.model = `${stream[1]}/${stream[2]}`
    this.missingAgent ??= /agent "(.+)" not found\. Falling back/.exec(text)?.[1] ?? null
    this.isModelMissing ||= /ProviderModelNotFoundError|Model not found/.test(text)
    if (/ level=(INFO|DEBUG) /.test(text)) return
    this.#tail = [...this.#tail, text.slice(0, MAX_LINE)].slice(-TAIL_LINES)
  }

  /** The last lines, starting with ": ", or an empty string. */
  get tail(): string {
    return this.#tail.length > 0 ? `: ${this.#tail.join(' | ')}` : ''
  }
}
