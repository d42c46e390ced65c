// OpenCode's configuration in a container, where no file of this machine is.

import { readFile } from 'node:fs/promises'
import { SwitchyardError } from '@switchyard/contracts'

const CONTENT = 'OPENCODE_CONFIG_CONTENT'

/**
 * The environment with the file's content in OPENCODE_CONFIG_CONTENT. What is set there already comes first, key by key at the
 * top: a provider that is named in both is that of the variable.
 *
 * @throws SwitchyardError `configuration_invalid` for a file that cannot be read, or that is to be merged and is no JSON
 */
export const withConfigFile = async (
  environment: Readonly<Record<string, string>>,
  file: string | undefined,
): Promise<Readonly<Record<string, string>>> => {
  if (file === undefined) return environment
  try {
    const text = await readFile(file, 'utf8')
    // As it is: OpenCode reads comments, which JSON has none of.
    if (environment[CONTENT] === undefined) return { ...environment, [CONTENT]: text }
    const under: object = JSON.parse(text)
    const over: object = JSON.parse(environment[CONTENT])
    return { ...environment, [CONTENT]: JSON.stringify({ ...under, ...over }) }
  } catch (cause) {
    throw new SwitchyardError('configuration_invalid', `OpenCode’s configuration ${file} cannot be used`, { cause })
  }
}
