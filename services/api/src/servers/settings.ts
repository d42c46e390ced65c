// What an operator sets for the server of one project. Names that open a door, or change what the server is, are refused.

import { isOurs } from '@switchyard/config'
import { type ConfigureServer, SwitchyardError } from '@switchyard/contracts'

/** They decide which program runs, or where its data are. */
const PROCESS =
  /^(PATH|HOME|USER|SHELL|TMPDIR|Malloc|LD_.*|DYLD_.*|NODE_.*|BUN_.*|XDG_.*|OPENCODE_(CONFIG_DIR|BIN_PATH|DB).*)$/
/** The database is no place for secrets. */
const SECRET = /(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_|$)/i

const refuse = (name: string, why: string, hint: string): never => {
  throw new SwitchyardError('invalid_request', `environment.${name}: ${why}`, { hint })
}

/** @throws SwitchyardError `invalid_request` */
export const checkSettings = (settings: ConfigureServer): ConfigureServer => {
  for (const name of Object.keys(settings.environment ?? {})) {
    if (isOurs(name) || PROCESS.test(name))
      refuse(name, 'is not for a project to set', 'Leave it out; it belongs to the installation.')
    if (SECRET.test(name))
      refuse(
        name,
        'looks like a secret, and these settings are kept in the database in clear',
        'Set it in the environment of the installation, which every OpenCode server inherits.',
      )
  }
  return settings
}
