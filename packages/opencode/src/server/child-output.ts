// Reads the output of an OpenCode child process: its address, and the last lines for error messages.

import type { ChildProcess } from 'node:child_process'
import type { Logger } from 'pino'

export type ChildOutput = {
  /** Resolves with the server's address when the server prints it. */
  readonly url: Promise<string>
  /** Returns the last lines of output for an error message: empty, or starting with ": ". */
  readonly tail: () => string
}

const READY_LINE = /opencode server listening on (http:\/\/\S+)/
const TAIL_LINES = 10

export const collectOutput = (child: ChildProcess, logger: Logger): ChildOutput => {
  const lines: string[] = []
  const url = new Promise<string>((resolve) => {
    const addChunk = (chunk: string): void => {
      for (const line of chunk.split('\n').filter((text) => text.trim() !== '')) {
        lines.push(line.slice(0, 500))
        if (lines.length > TAIL_LINES) lines.shift()
        logger.debug({ server_pid: child.pid, line }, 'OpenCode server output')
        const match = READY_LINE.exec(line)
        if (match?.[1] !== undefined) resolve(match[1])
      }
    }
    child.stdout?.setEncoding('utf8').on('data', addChunk)
    child.stderr?.setEncoding('utf8').on('data', addChunk)
  })
  return { url, tail: () => (lines.length > 0 ? `: ${lines.join(' | ')}` : '') }
}
