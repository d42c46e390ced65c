// The work of a directory as one patch, which `git apply` takes.

import { SwitchyardError } from '@switchyard/contracts'
import { type DiffRequest, diffAgainst } from './diff.ts'

const MAX_BYTES = 64 * 1_048_576

/**
 * Commits and uncommitted work alike, with binary files; empty where nothing was done.
 *
 * @throws SwitchyardError `payload_too_large` over 64 MiB, or with a file over 20 MiB: half a patch is none; and as
 *   `diffAgainst`
 */
export const exportPatch = async (request: Omit<DiffRequest, 'maxBytes'>): Promise<string> => {
  const { diff, truncated } = await diffAgainst({ ...request, maxBytes: MAX_BYTES })
  if (truncated)
    throw new SwitchyardError('payload_too_large', `the work in ${request.directory} is too large for a patch`, {
      hint: 'Take a bundle, or publish it to a branch.',
    })
  return diff
}
