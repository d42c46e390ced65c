// What tests of this package do with repositories, as their user would.

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Runs git there, as somebody. @returns what it printed, without blanks around it */
export const sh = async (directory: string, ...args: string[]): Promise<string> =>
  (await run('git', ['-c', 'user.name=T', '-c', 'user.email=t@t', ...args], { cwd: directory })).stdout.trim()

/** Writes a file and commits all that there is. @returns the commit */
export const commit = async (directory: string, file: string, text = `${file}\n`): Promise<string> => {
  await writeFile(path.join(directory, file), text)
  await sh(directory, 'add', '-A')
  await sh(directory, 'commit', '-qm', `add ${file}`)
  return await sh(directory, 'rev-parse', 'HEAD')
}

/** One at a time of each name, within this process. */
export const createLock = () => {
  const locks = new Map<string, Promise<unknown>>()
  return <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const next = (locks.get(name) ?? Promise.resolve()).then(work, work)
    locks.set(name, next)
    return next
  }
}
