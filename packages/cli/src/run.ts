// Finds the command and says how it went.

import { readFileSync } from 'node:fs'
import { isSwitchyardError } from '@switchyard/contracts'
import { migrate } from './migrate/command.ts'
import { type Terminal, UsageError } from './terminal.ts'

const HELP = `switchyard <command>

  migrate    bring an older OpenCode manager's projects over (switchyard migrate --help)

  --help, --version
`

const COMMANDS: Readonly<Record<string, (args: readonly string[], terminal: Terminal) => Promise<number>>> = { migrate }

const readVersion = (): string => {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return manifest.version
}

/**
 * Runs one command.
 *
 * @param args - without node and the program's own name
 * @returns the exit code: 0 done, 1 failed, 2 not understood, 3 done in part
 */
export const run = async (args: readonly string[], terminal: Terminal): Promise<number> => {
  const [name = '--help', ...rest] = args
  if (name === '--help' || name === '-h') return say(terminal, HELP)
  if (name === '--version') return say(terminal, `${readVersion()}\n`)
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) return complain(terminal, `there is no command ${name}\n\n${HELP}`, 2)
  try {
    return await command(rest, terminal)
  } catch (error) {
    if (error instanceof UsageError) return complain(terminal, `${error.message}\n`, 2)
    if (isSwitchyardError(error) && error.code !== 'internal_error')
      return complain(terminal, `${error.message}\n${error.hint}\n`, 1)
    throw error
  }
}

const say = (terminal: Terminal, text: string): number => {
  terminal.out.write(text)
  return 0
}

const complain = (terminal: Terminal, text: string, code: number): number => {
  terminal.err.write(text)
  return code
}
