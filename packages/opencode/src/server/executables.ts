// Locates the executables that npm installed: OpenCode, and ripgrep, which OpenCode needs on PATH.

import { access, constants } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'

const require = createRequire(import.meta.url)

/**
 * Returns the path of OpenCode's executable itself, not of the npm shim, which would add a process between it and us.
 *
 * @throws SwitchyardError `opencode_unavailable`, not retryable, when the package's install script did not run
 */
export const opencodeBinary = async (): Promise<string> => {
  // The install script puts the platform's executable here, under this name on every platform.
  const file = path.join(path.dirname(require.resolve('opencode-ai/package.json')), 'bin', 'opencode.exe')
  try {
    await access(file, constants.X_OK)
  } catch (cause) {
    throw new SwitchyardError('opencode_unavailable', `the OpenCode executable ${file} does not exist`, {
      hint: 'Run `npm rebuild opencode-ai` to download the executable for this platform.',
      retryable: false,
      cause,
    })
  }
  return file
}

/** Returns the folder of `rg`, or undefined when npm has none for this platform and the system's must be used. */
export const ripgrepFolder = async (): Promise<string | undefined> => {
  try {
    const { rgPath } = await import('@vscode/ripgrep')
    return path.dirname(rgPath)
  } catch {
    return undefined
  }
}
