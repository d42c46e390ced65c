// A password for a project's own server that somebody else chose, such as that of the server it takes the place of.

import { rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SERVER_PASSWORD, SwitchyardError } from '@switchyard/contracts'
import { closeSeal, openSealed } from './sealed-secret.ts'

/**
 * @param directory - the server's, in which a key was offered
 * @throws SwitchyardError `invalid_request` where it was sealed with another key, or is no password
 */
export const takePassword = async (directory: string, sealed: string): Promise<void> => {
  const password = await openSealed(directory, sealed)
  if (!SERVER_PASSWORD.test(password))
    throw new SwitchyardError('invalid_request', 'the password is not 8 to 190 printable characters without a colon')
  const file = path.join(directory, 'password')
  await writeFile(`${file}.new`, password, { mode: 0o600 })
  await rename(`${file}.new`, file)
  await closeSeal(directory)
}
