// Passes OpenCode's configuration file to containers, which cannot read files of this machine.

import { readFile } from 'node:fs/promises'
import { SwitchyardError } from '@switchyard/contracts'

const CONTENT = 'OPENCODE_CONFIG_CONTENT'

/**
 * Returns the environment with the file's content in OPENCODE_CONFIG_CONTENT. Top-level keys that the variable already
 * sets win over those of the file.
 *
 * @throws SwitchyardError `configuration_invalid` when the file cannot be read, or has to be merged and is not JSON
 */
export const withConfigFile = async (
  environment: Readonly<Record<string, string>>,
  file: string | undefined,
): Promise<Readonly<Record<string, string>>> => {
  if (file === undefined) return environment
  try {
    const text = await readFile(file, 'utf8')
    // Passed on unparsed: OpenCode accepts comments in JSON, and JSON.parse does not.
    if (environment[CONTENT] === undefined) return { ...environment, [CONTENT]: text }
    const fromFile: object = JSON.parse(text)
    const fromVariable: object = JSON.parse(environment[CONTENT])
    return { ...environment, [CONTENT]: JSON.stringify({ ...fromFile, ...fromVariable }) }
  } catch (cause) {
    throw new SwitchyardError('configuration_invalid', `cannot use the OpenCode configuration ${file}`, { cause })
  }
}
