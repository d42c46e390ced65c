// The password of a project's own server: made once, kept beside its data, never in the database.

import { randomBytes, randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'

const read = async (file: string): Promise<string | undefined> =>
  await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })

/** @param directory - the server's; made where it is not there. Workers that ask at once get the same answer. */
export const passwordIn = async (directory: string): Promise<string> => {
  const file = path.join(directory, 'password')
  const known = await read(file)
  if (known !== undefined) return known
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, randomBytes(24).toString('base64url'), { mode: 0o600 })
  try {
    // Complete or not at all, and only where there is none.
    await link(draft, file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    await rm(draft, { force: true })
  }
  return await readFile(file, 'utf8')
}
