// Decides, once, in which mode a task runs: by the operator's word, else by the installation's setting.

import type { Config } from '@switchyard/config'
import { type ExecuteTask, type Mode, SwitchyardError } from '@switchyard/contracts'

/** Whether workers can run tasks in containers, as they last reported. */
export type DockerOffer = { readonly isUp: boolean; readonly detail: string | null }

/**
 * @param findDocker - gives null where no worker has a Docker engine.
 * @throws SwitchyardError `not_supported` for a mode that the installation does not have, or that cannot do what is asked.
 *   An engine that is down for now refuses nobody: the task waits for it.
 */
export const decideMode = async (
  config: Config,
  input: ExecuteTask,
  findDocker: () => Promise<DockerOffer | null>,
): Promise<Mode> => {
  const { serverEnabled } = config.opencode
  const mode = input.mode ?? (serverEnabled ? 'opencode' : 'docker')
  if (mode === 'opencode' && !serverEnabled)
    throw new SwitchyardError('not_supported', 'mode opencode is off here: OPENCODE_SERVER_ENABLED is false')
  if (mode === 'docker' && serverEnabled && (await findDocker()) === null)
    throw new SwitchyardError('not_supported', 'mode docker is not offered: no worker has a Docker engine', {
      hint: 'Leave mode out, or give the workers an engine: DOCKER_HOST, or the stack’s profile docker.',
    })
  if (mode === 'docker' && input.permissions === 'ask')
    throw new SwitchyardError('not_supported', 'permissions ask: a container of Docker mode can ask nobody', {
      hint: 'Use permissions allow or deny, or mode opencode.',
    })
  return mode
}
