// A configuration directory for OpenCode servers of tests that keeps them off the network.

import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'

/**
 * The package that OpenCode installs into each configuration directory whose lock file does not
 * list it.
 */
const PLUGIN_SDK = { dependencies: { '@opencode-ai/plugin': '*' } }

/**
 * Creates OpenCode's configuration directory as if the plugin SDK were installed in it.
 * Otherwise every new server downloads 31 MB from the npm registry, which takes 6 s of CPU time.
 *
 * @param configHome - the XDG_CONFIG_HOME of the server.
 */
export const createConfigDirectory = async (configHome: string): Promise<void> => {
  const directory = path.join(configHome, 'opencode')
  await mkdir(path.join(directory, 'node_modules'), { recursive: true })
  await writeFile(path.join(directory, 'package.json'), JSON.stringify(PLUGIN_SDK))
  await writeFile(path.join(directory, 'package-lock.json'), JSON.stringify({ packages: { '': PLUGIN_SDK } }))
}
