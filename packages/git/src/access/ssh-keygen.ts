// Creates and reads ssh keys with ssh-keygen, which every OpenSSH client includes.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import { PATH } from '../command/run.ts'

const run = promisify(execFile)
const TIMEOUT_MS = 10_000
const OPTIONS = { env: { PATH, LC_ALL: 'C' }, timeout: TIMEOUT_MS, maxBuffer: 1_048_576 }

const stderrOf = (error: unknown): string =>
  error instanceof Error && 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : String(error)

const isMissing = (error: unknown): boolean => systemErrorCode(error) === 'ENOENT'

const keygen = async (args: readonly string[]): Promise<string> => {
  try {
    return (await run('ssh-keygen', [...args], OPTIONS)).stdout
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new SwitchyardError('configuration_invalid', 'cannot run ssh-keygen', {
      hint: 'Install the OpenSSH client (openssh-client) on the machine that runs the worker.',
    })
  }
}

/** Creates an ed25519 key pair without a passphrase, in `file` and `file.pub`. */
export const createKeyPair = async (file: string, comment: string): Promise<void> => {
  await keygen(['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file])
}

/**
 * Returns the public key of a private key, in the format of authorized_keys.
 *
 * @param name - what error messages call the key; default: its path
 * @throws SwitchyardError `deploy_key_invalid` when the file is not a private key, has a passphrase, or other
 *   users can read it
 */
export const publicKeyOf = async (file: string, name = file): Promise<string> => {
  try {
    return (await keygen(['-y', '-P', '', '-f', file])).trim()
  } catch (error) {
    if (error instanceof SwitchyardError) throw error
    const stderr = stderrOf(error)
    const why = /passphrase/i.test(stderr)
      ? 'has a passphrase, which Switchyard cannot enter'
      : /UNPROTECTED|permissions/i.test(stderr)
        ? 'is readable by other users; run chmod 600 on it'
        : 'is not a private ssh key'
    throw new SwitchyardError('deploy_key_invalid', `${name} ${why}`)
  }
}

/** Returns `SHA256:` and the hash, as forges and `ssh-keygen -l` show it. */
export const fingerprintOf = (publicKey: string): string => {
  const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64')
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}
