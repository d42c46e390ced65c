// Opens the data directory: initdb creates it once, completely or not at all; every later start checks its version.

import { randomBytes } from 'node:crypto'
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import { fromHomeError } from '../system/home-errors.ts'
import { runInitdb } from './initdb.ts'
import type { Location } from './location.ts'
import type { Binaries } from './native.ts'
import { createPassword, readPassword } from './password.ts'

export const USER = 'switchyard'

export type Cluster = { readonly data: string; readonly password: string; readonly isNew: boolean }

/** Prefix of the files that a crash may leave behind. The home lock guarantees that no other process uses them. */
const PARTIAL = 'initdb-'

/**
 * Opens the cluster in a directory, and creates it if it does not exist.
 *
 * @throws SwitchyardError `disk_full`, `directory_unwritable`, or `database_unavailable` (data of another
 *   PostgreSQL version, missing password, failed initdb)
 */
export const openCluster = async (
  location: Location,
  binaries: Binaries,
  signal: AbortSignal | undefined,
): Promise<Cluster> => {
  const data = path.join(location.directory, 'data')
  const found = await readFile(path.join(data, 'PG_VERSION'), 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw fromHomeError(error, data)
  })
  if (found !== undefined) {
    requireVersion(data, found.trim(), binaries.major)
    const password = await readPassword(location.directory)
    if (password === undefined)
      throw new SwitchyardError('database_unavailable', `${path.join(location.directory, 'password')} is missing`, {
        retryable: false,
        hint: 'Restore the file from a backup; without it nobody can log in to the database.',
      })
    return { data, password, isNew: false }
  }
  try {
    await removePartial(location.directory)
    const password = (await readPassword(location.directory)) ?? (await createPassword(location.directory))
    await initialise(location, binaries, data, password, signal)
    return { data, password, isNew: true }
  } catch (error) {
    throw fromHomeError(error, location.directory)
  }
}

const requireVersion = (data: string, found: string, major: number): void => {
  if (Number.parseInt(found, 10) === major) return
  throw new SwitchyardError(
    'database_unavailable',
    `${data} was created by PostgreSQL ${found}, but this is PostgreSQL ${major}`,
    {
      retryable: false,
      hint: 'Run the Switchyard version that created it, migrate the data with pg_dump, or set SWITCHYARD_HOME to another directory.',
    },
  )
}

const removePartial = async (directory: string): Promise<void> => {
  for (const name of await readdir(directory))
    if (name.startsWith(PARTIAL)) await rm(path.join(directory, name), { recursive: true, force: true })
}

const initialise = async (
  location: Location,
  binaries: Binaries,
  data: string,
  password: string,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const partial = path.join(location.directory, `${PARTIAL}${randomBytes(4).toString('hex')}`)
  const passwordFile = `${partial}.pw`
  try {
    await mkdir(partial, { mode: 0o700 })
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' })
    if (location.account !== undefined)
      for (const each of [partial, passwordFile]) await chown(each, location.account.uid, location.account.gid)
    const { account, directory } = location
    await runInitdb({ binary: binaries.initdb, account, data: partial, user: USER, passwordFile, directory, signal })
    await rename(partial, data)
  } finally {
    await rm(passwordFile, { force: true })
    await rm(partial, { recursive: true, force: true })
  }
}
