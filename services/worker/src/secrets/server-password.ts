// The password of a project's own server. It is generated once and stored beside the server's data,
// never in the database.

import { randomBytes, randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { systemErrorCode } from '@switchyard/contracts'

const read = async (file: string): Promise<string | undefined> =>
  await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  })

/**
 * Returns the password, generated on the first call. Workers that call this at the same time get
 * the same password.
 *
 * @param directory - the server's; created if it does not exist.
 */
export const serverPassword = async (directory: string): Promise<string> => {
  const file = path.join(directory, 'password')
  const existing = await read(file)
  if (existing !== undefined) return existing
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, randomBytes(24).toString('base64url'), { mode: 0o600 })
  try {
    // A link is atomic and fails if another worker was first.
    await link(draft, file)
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  return await readFile(file, 'utf8')
}
