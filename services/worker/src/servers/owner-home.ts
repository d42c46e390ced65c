// The home directory of an API key's server that runs as a child process. What the key's agents
// write there, such as a plugin or a shell profile, reaches no other key.

import { cp, mkdir } from 'node:fs/promises'
import path from 'node:path'
import { systemErrorCode } from '@switchyard/contracts'

const copy = async (from: string, to: string): Promise<void> => {
  await cp(from, to, { recursive: true, verbatimSymlinks: true }).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error
  })
}

/**
 * Creates the home directory and copies the operator's OpenCode and git configuration into it. Call
 * it at each start of the server, so that changes of the configuration apply.
 *
 * @param env - the operator's environment
 * @returns the variables that lead to it
 */
export const createOwnerHome = async (
  directory: string,
  env: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> => {
  const home = path.join(directory, 'home')
  const config = path.join(home, '.config')
  await mkdir(config, { recursive: true, mode: 0o700 })
  if (env.HOME !== undefined) {
    const operators = env.XDG_CONFIG_HOME ?? path.join(env.HOME, '.config')
    await copy(path.join(operators, 'opencode'), path.join(config, 'opencode'))
    await copy(path.join(env.HOME, '.gitconfig'), path.join(home, '.gitconfig'))
  }
  return { HOME: home, XDG_CONFIG_HOME: config }
}
