// Runs a shell command where agents run theirs: in the environment of the OpenCode server.

import { randomUUID } from 'node:crypto'
import type { Part } from '@opencode-ai/sdk/v2'
import { SwitchyardError } from '@switchyard/contracts'
import type { OpenCodeCallOptions } from './call.ts'
import type { OpenCodeClient } from './client.ts'

/** The server answers when the command has exited, and `fetch` times out after 300 s. */
const MAX_MS = 280_000

export type CommandOutcome = { readonly exitCode: number; readonly output: string }

const outputOf = (parts: readonly Part[]): string =>
  parts
    .map((part) => {
      if (part.type !== 'tool') return ''
      if (part.state.status === 'completed') return part.state.output
      return part.state.status === 'error' ? part.state.error : ''
    })
    .join('')

/**
 * Runs a command and returns its exit code and output. OpenCode does not report exit codes of shell calls, so the script
 * prints the code itself, after a random marker.
 *
 * @throws SwitchyardError `opencode_unavailable` after 280 s; the command is stopped then
 */
export const runCommand = async (
  client: OpenCodeClient,
  directory: string,
  command: string,
  options: OpenCodeCallOptions = {},
): Promise<CommandOutcome> => {
  const marker = `exit-${randomUUID()}`
  const session = await client.createSession({ directory, title: 'Switchyard command' }, options)
  const ref = { sessionId: session.id, directory }
  try {
    const { parts } = await client.shell(
      { ...ref, command: `echo ${scriptFor(command, marker)} | base64 -d | sh` },
      { ...options, timeoutMs: options.timeoutMs ?? MAX_MS },
    )
    const output = outputOf(parts)
    const [before, after] = output.split(`\n${marker}:`)
    const code = /^\d+/.exec(after ?? '')?.[0]
    if (code === undefined)
      throw new SwitchyardError('opencode_error', `the command did not finish: ${output.slice(-400)}`)
    return { exitCode: Number(code), output: before ?? '' }
  } finally {
    // Stops what the command left running.
    await client.abortTree(ref).catch(() => {})
    await client.deleteSession(ref).catch(() => {})
  }
}

/**
 * Encodes the script in base64, because OpenCode's shell evaluates the command within double quotes and would expand `$`
 * and line breaks. The command runs in a shell of its own, so that an `exit` or a syntax error in it does not stop the
 * outer shell, which prints the marker; both outputs go to the same stream, before the marker.
 */
const scriptFor = (command: string, marker: string): string =>
  Buffer.from(`sh -c ${quoted(command)} < /dev/null 2>&1\nprintf '\\n%s:%s' ${marker} "$?"\n`).toString('base64')

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
