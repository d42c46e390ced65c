// Reads the URL of a repository's remote. git parses the configuration as data and applies nothing in it.

import path from 'node:path'
import { git } from '../command/run.ts'
import { readUntrustedFile } from './read-untrusted-file.ts'

/**
 * Returns the URL of `origin`, or of the only remote, as it is configured. It may contain a password.
 *
 * @param cwd - a directory in which git can start
 */
export const readRemoteUrl = async (commonDir: string, cwd: string): Promise<string | undefined> => {
  const { stdout } = await git(
    ['config', '--file', '-', '--no-includes', '--null', '--get-regexp', '^remote\\..*\\.url$'],
    { cwd, input: await readUntrustedFile(path.join(commonDir, 'config')), okCodes: [0, 1, 3, 128] },
  )
  const urls = new Map(
    stdout
      .toString('utf8')
      .split('\0')
      .filter((entry) => entry.includes('\n'))
      .map((entry): [string, string] => [entry.slice(0, entry.indexOf('\n')), entry.slice(entry.indexOf('\n') + 1)]),
  )
  return urls.get('remote.origin.url') ?? (urls.size === 1 ? [...urls.values()][0] : undefined)
}
