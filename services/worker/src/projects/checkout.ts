// Checkouts that are somebody's own: what they are.

import { realpath } from 'node:fs/promises'
import { type CallResult, isSwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl, readForeign } from '@switchyard/git'

/** What a remote's URL says without its credentials; null for one that is none of ours to reach. */
const withoutSecrets = (remote: string | null): string | null => {
  if (remote === null) return null
  try {
    return parseRepositoryUrl(remote).displayUrl
  } catch (error) {
    if (isSwitchyardError(error, 'invalid_project')) return null
    throw error
  }
}

export const inspect = async (directory: string): Promise<CallResult<'project.inspect'>> => {
  const place = await realpath(directory).catch(() => directory)
  try {
    const { remote, main } = await readForeign(place)
    return { place, is_checkout: true, origin: withoutSecrets(remote), main }
  } catch (error) {
    if (isSwitchyardError(error, 'repository_not_found')) return { place, is_checkout: false, origin: null, main: null }
    throw error
  }
}
