// Where the database of a home lives: inside it, or, where the account of PostgreSQL cannot reach it, outside.

import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { type Account, canExecute, chooseAccount } from './account.ts'

export type Location = {
  /** Holds `data/`, `password` and, where they were needed, copied binaries. */
  readonly directory: string
  readonly account: Account
  readonly isOutside: boolean
}

/** Names the directory outside, so that a home that was moved still finds its data. */
const POINTER = 'location'

/** Both outlive a restart of the machine; /tmp does not. */
const OUTSIDE = ['/var/lib/switchyard', '/var/tmp/switchyard']

/**
 * Finds the place of this home's database, or makes one.
 * Root with a home below a closed directory (/root) is the case for a place outside: that directory's mode is never changed.
 *
 * @throws SwitchyardError `directory_unwritable`, or `database_unavailable` where the place that was used before is gone.
 */
export const locate = async (home: string): Promise<Location> => {
  const inside = path.join(home, 'postgres')
  await mkdir(inside, { recursive: true })
  const pointed = await readPointer(inside)
  const directory = pointed ?? inside
  const owner = await stat(path.join(directory, 'data')).catch(() => undefined)
  const account = await chooseAccount(owner)
  if (account === undefined) {
    if (owner !== undefined && owner.uid !== process.getuid?.())
      throw new SwitchyardError(
        'directory_unwritable',
        `the database in ${directory} belongs to user ${owner.uid}, and PostgreSQL would run as ${process.getuid?.()}`,
        { hint: 'Run Switchyard as the user that ran it first, or set SWITCHYARD_HOME to another directory.' },
      )
    return { directory, account, isOutside: pointed !== undefined }
  }
  if (pointed !== undefined) return { directory, account, isOutside: true }
  await chmod(inside, 0o711)
  if (await canExecute(account, inside)) return { directory, account, isOutside: false }
  if (owner !== undefined)
    throw new SwitchyardError(
      'directory_unwritable',
      `user ${account.uid}, who owns the database in ${inside}, can no longer reach it`,
      { hint: 'Let that user pass through every directory above it (chmod o+x), or run Switchyard as that user.' },
    )
  return { directory: await makeOutside(home, inside, account), account, isOutside: true }
}

const readPointer = async (inside: string): Promise<string | undefined> => {
  const pointer = path.join(inside, POINTER)
  const pointed = (await readFile(pointer, 'utf8').catch(() => '')).trim()
  if (pointed === '') return undefined
  if (await stat(pointed).catch(() => undefined)) return pointed
  throw new SwitchyardError('database_unavailable', `the database of this home was in ${pointed}, which is gone`, {
    retryable: false,
    hint: `Bring that directory back, or remove ${pointer} to begin with an empty database.`,
  })
}

const makeOutside = async (home: string, inside: string, account: Account): Promise<string> => {
  const failures: string[] = []
  for (const parent of OUTSIDE) {
    const directory = path.join(parent, `${path.basename(path.dirname(home))}-${randomBytes(6).toString('hex')}`)
    try {
      await mkdir(directory, { recursive: true })
      await chmod(parent, 0o711)
      await chmod(directory, 0o711)
      if (!(await canExecute(account, directory))) throw new Error(`user ${account?.uid} cannot reach it`)
      await writeFile(path.join(directory, 'home'), `${home}\n`)
      const pointer = path.join(inside, POINTER)
      await writeFile(`${pointer}.new`, `${directory}\n`)
      await rename(`${pointer}.new`, pointer)
      return directory
    } catch (error) {
      failures.push(`${parent}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new SwitchyardError(
    'directory_unwritable',
    `PostgreSQL runs as user ${account?.uid}, who can reach neither ${home} nor a place outside (${failures.join('; ')})`,
    { hint: 'Set SWITCHYARD_HOME to a directory that this user can reach, such as /srv/switchyard.' },
  )
}
