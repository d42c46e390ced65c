// Where the executables are that npm installed: the OpenCode server and ripgrep, which it needs on PATH.

import { access, constants } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'

const require = createRequire(import.meta.url)

/**
 * The real executable of `opencode-ai`. It is started directly: a shim in between would be one process more to end.
 *
 * @throws SwitchyardError `opencode_unavailable`, not retryable, when the package's install script did not run.
 */
export const opencodeBinary = async (): Promise<string> => {
  // The install script puts the platform's executable there, under this name on every platform.
  const file = path.join(path.dirname(require.resolve('opencode-ai/package.json')), 'bin', 'opencode.exe')
  try {
    await access(file, constants.X_OK)
  } catch (cause) {
    throw new SwitchyardError('opencode_unavailable', `there is no OpenCode executable at ${file}`, {
      hint: 'Run `npm rebuild opencode-ai`; its install script fetches the executable for this platform.',
      retryable: false,
      cause,
    })
  }
  return file
}

/** The folder that holds `rg`, or undefined where npm has none for this platform: then the system's own is used. */
export const ripgrepFolder = async (): Promise<string | undefined> => {
  try {
    const { rgPath } = await import('@vscode/ripgrep')
    return path.dirname(rgPath)
  } catch {
    return undefined
  }
}
