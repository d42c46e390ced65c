// Prepares the sandbox in which the OpenCode servers of `npm start` run the commands of agents.

import type { Config, Logger } from '@switchyard/config'
import { SwitchyardError } from '@switchyard/contracts'
import { type PreparedSandbox, prepareSandbox } from '@switchyard/tool-sandbox'
import { Layout } from '@switchyard/workspace/layout'

const OFF: PreparedSandbox = { isAvailable: false, reason: 'TOOL_SANDBOX is off' }

/** @throws SwitchyardError `not_supported` if a sandbox is required and this machine cannot provide one */
export const prepareToolSandbox = async (config: Config, logger: Logger): Promise<PreparedSandbox> => {
  const { mode, paths, variables } = config.toolSandbox
  // A server that already runs elsewhere is not started here.
  if (mode === 'off' || config.opencode.url !== undefined) return OFF
  const layout = new Layout(config)
  const sandbox = await prepareSandbox({
    workspaces: config.workspacesDir,
    state: layout.toolSandboxes,
    env: config.opencode.inherited,
    passVariables: variables,
    readOnly: paths,
    hidden: [config.home],
    repositories: [layout.sharedClones, layout.objectStores],
  })
  if (sandbox.isAvailable) return sandbox
  if (mode === 'required') throw new SwitchyardError('not_supported', `TOOL_SANDBOX is required, but ${sandbox.reason}`)
  logger.warn({ reason: sandbox.reason }, "commands of agents run without a sandbox, with the server's own permissions")
  return sandbox
}
