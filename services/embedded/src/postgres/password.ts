// The database's password: random, created once, readable by the current user only, never in an argument list.

import { randomBytes } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import path from 'node:path'

/** Returns the stored password; undefined if it does not exist. */
export const readPassword = async (directory: string): Promise<string | undefined> => {
  const password = (await readFile(path.join(directory, 'password'), 'utf8').catch(() => '')).trim()
  return password === '' ? undefined : password
}

/** Creates a password and stores it durably before it is used. */
export const createPassword = async (directory: string): Promise<string> => {
  const password = randomBytes(24).toString('base64url')
  const file = path.join(directory, 'password')
  const handle = await open(`${file}.new`, 'w', 0o600)
  try {
    await handle.writeFile(`${password}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.new`, file)
  return password
}
