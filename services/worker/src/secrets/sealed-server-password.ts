// Replaces the password of a project's own server by one that a caller chose, such as that of the
// server it replaces.

import { rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SERVER_PASSWORD, SwitchyardError } from '@switchyard/contracts'
import { openSealed, removeSealKey } from './sealed-secret.ts'

/**
 * Stores a sealed password.
 *
 * @param directory - the server's, for which the key was created.
 * @throws SwitchyardError `invalid_request` if it was sealed with another key, or is not a valid
 *   password
 */
export const storeSealedPassword = async (directory: string, sealed: string): Promise<void> => {
  const password = await openSealed(directory, sealed)
  if (!SERVER_PASSWORD.test(password))
    throw new SwitchyardError('invalid_request', 'the password is not 8 to 190 printable characters without a colon')
  const file = path.join(directory, 'password')
  await writeFile(`${file}.new`, password, { mode: 0o600 })
  await rename(`${file}.new`, file)
  await removeSealKey(directory)
}
