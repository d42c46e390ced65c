// Exports the work of a directory as one patch for `git apply`.

import { SwitchyardError } from '@switchyard/contracts'
import { type DiffRequest, diffAgainst } from './diff.ts'

const MAX_BYTES = 64 * 1_048_576

/**
 * Returns committed and uncommitted work as a patch, including binary files.
 *
 * @returns an empty text when nothing changed
 * @throws SwitchyardError `payload_too_large` when the patch is over 64 MiB or a file is over 20 MiB, because an
 *   incomplete patch is of no use; the errors of `diffAgainst`
 */
export const exportPatch = async (request: Omit<DiffRequest, 'maxBytes'>): Promise<string> => {
  const { diff, truncated } = await diffAgainst({ ...request, maxBytes: MAX_BYTES })
  if (truncated)
    throw new SwitchyardError('payload_too_large', `the work in ${request.directory} is too large for a patch`, {
      hint: 'Export a bundle instead, or publish the work to a branch.',
    })
  return diff
}
