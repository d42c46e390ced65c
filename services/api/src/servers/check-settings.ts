// Checks the environment variables that an operator sets for a project's server. Variables that change which program runs,
// and variables that look like secrets, are refused.

import { isOurs } from '@switchyard/config'
import { type ConfigureServer, SwitchyardError } from '@switchyard/contracts'

/** Variables that control which program runs, or where its data is. */
const RESERVED =
  /^(PATH|HOME|USER|SHELL|TMPDIR|Malloc|LD_.*|DYLD_.*|NODE_.*|BUN_.*|XDG_.*|OPENCODE_(CONFIG_DIR|BIN_PATH|DB).*)$/
/** Secrets must not be stored in the database. */
const SECRET = /(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|$)/i

const refuse = (name: string, why: string, hint: string): never => {
  throw new SwitchyardError('invalid_request', `environment.${name}: ${why}`, { hint })
}

/** Returns the settings if they are allowed. @throws SwitchyardError `invalid_request` */
export const checkSettings = (settings: ConfigureServer): ConfigureServer => {
  for (const name of Object.keys(settings.environment ?? {})) {
    if (isOurs(name) || RESERVED.test(name)) refuse(name, 'is reserved', 'Remove it; the installation sets it.')
    if (SECRET.test(name))
      refuse(
        name,
        'looks like a secret, and these settings are stored unencrypted',
        'Set it in the environment of the installation, which every OpenCode server inherits.',
      )
  }
  return settings
}
