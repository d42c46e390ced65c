// Runs a shell command where agents run theirs: in the server's environment, not in ours.

import { randomUUID } from 'node:crypto'
import type { Part } from '@opencode-ai/sdk/v2'
import { SwitchyardError } from '@switchyard/contracts'
import type { OpenCodeCallOptions } from './call.ts'
import type { OpenCodeClient } from './client.ts'

/** The server answers when the command has ended, and fetch gives up after 300 s. */
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
 * The server keeps no exit code of a shell call: the command says its own, behind a mark that it cannot know.
 *
 * @throws SwitchyardError `call_timeout` after 280 s; the command is ended then.
 */
export const runCommand = async (
  client: OpenCodeClient,
  directory: string,
  command: string,
  given: OpenCodeCallOptions = {},
): Promise<CommandOutcome> => {
  const mark = `exit-${randomUUID()}`
  const session = await client.createSession({ directory, title: 'A command of Switchyard' }, given)
  const ref = { sessionId: session.id, directory }
  try {
    const { parts } = await client.shell(
      { ...ref, command: `echo ${scriptFor(command, mark)} | base64 -d | sh` },
      { ...given, timeoutMs: given.timeoutMs ?? MAX_MS },
    )
    const output = outputOf(parts)
    const [before, after] = output.split(`\n${mark}:`)
    const code = /^\d+/.exec(after ?? '')?.[0]
    if (code === undefined)
      throw new SwitchyardError('opencode_error', `the command did not come to its end: ${output.slice(-400)}`)
    return { exitCode: Number(code), output: before ?? '' }
  } finally {
    // Ends what still runs of it.
    await client.abortTree(ref).catch(() => {})
    await client.deleteSession(ref).catch(() => {})
  }
}

/**
 * The server has its shell evaluate the command within double quotes, where `$` and line ends would not be ours: it gets
 * letters alone. Both outputs come one way, in order, before the mark. In a shell of its own, an `exit` or a syntax error of the command does not end the one that tells.
 */
const scriptFor = (command: string, mark: string): string =>
  Buffer.from(`sh -c ${quoted(command)} < /dev/null 2>&1\nprintf '\\n%s:%s' ${mark} "$?"\n`).toString('base64')

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
