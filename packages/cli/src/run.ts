// Runs the command that the first argument names, and prints its error.

import { readFileSync } from 'node:fs'
import { isSwitchyardError } from '@switchyard/contracts'
import { migrate } from './migrate/command.ts'
import { type Terminal, UsageError } from './terminal.ts'

const HELP = `switchyard <command>

  migrate    migrate the projects of an older OpenCode manager (see switchyard migrate --help)

  --help, -h    show this help
  --version     show the version
`

const COMMANDS: Readonly<Record<string, (args: readonly string[], terminal: Terminal) => Promise<number>>> = { migrate }

const readVersion = (): string => {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return manifest.version
}

/**
 * Runs one command and prints an expected error as message and hint.
 *
 * @param args - the arguments after the program's name
 * @returns the exit code: 0 success, 1 failure, 2 invalid usage, 3 partial success
 * @throws any unexpected error
 */
export const run = async (args: readonly string[], terminal: Terminal): Promise<number> => {
  const [name = '--help', ...rest] = args
  if (name === '--help' || name === '-h') return print(terminal, HELP)
  if (name === '--version') return print(terminal, `${readVersion()}\n`)
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) return printError(terminal, `unknown command "${name}". Use one of these:\n\n${HELP}`, 2)
  try {
    return await command(rest, terminal)
  } catch (error) {
    if (error instanceof UsageError) return printError(terminal, `${error.message}\n`, 2)
    if (isSwitchyardError(error) && error.code !== 'internal_error')
      return printError(terminal, `${error.message}\n${error.hint}\n`, 1)
    throw error
  }
}

const print = (terminal: Terminal, text: string): number => {
  terminal.out.write(text)
  return 0
}

const printError = (terminal: Terminal, text: string, code: number): number => {
  terminal.err.write(text)
  return code
}
