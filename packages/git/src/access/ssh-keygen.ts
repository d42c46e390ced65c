// Makes and reads ssh keys with OpenSSH's own tool, which is there wherever ssh is.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import { PATH } from '../command/run.ts'

const run = promisify(execFile)
const TIMEOUT_MS = 10_000
const OPTIONS = { env: { PATH, LC_ALL: 'C' }, timeout: TIMEOUT_MS, maxBuffer: 1_048_576 }

const saidBy = (error: unknown): string =>
  error instanceof Error && 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : String(error)

const isMissing = (error: unknown): boolean => systemErrorCode(error) === 'ENOENT'

const keygen = async (args: readonly string[]): Promise<string> => {
  try {
    return (await run('ssh-keygen', [...args], OPTIONS)).stdout
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new SwitchyardError('configuration_invalid', 'ssh-keygen cannot be run', {
      hint: 'Install OpenSSH’s client (openssh-client) on the machine that runs the worker.',
    })
  }
}

/** An ed25519 pair without a passphrase: `place` and `place.pub`. */
export const makeKeyPair = async (place: string, comment: string): Promise<void> => {
  await keygen(['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', place])
}

/**
 * The public half, as authorized_keys takes it.
 *
 * @param name - of the key in a message
 * @throws SwitchyardError `deploy_key_invalid` for what is no private key, has a passphrase or may be read by others
 */
export const publicKeyOf = async (place: string, name = place): Promise<string> => {
  try {
    return (await keygen(['-y', '-P', '', '-f', place])).trim()
  } catch (error) {
    if (error instanceof SwitchyardError) throw error
    const said = saidBy(error)
    const why = /passphrase/i.test(said)
      ? 'has a passphrase, which nobody can enter here'
      : /UNPROTECTED|permissions/i.test(said)
        ? 'may be read by others; chmod 600 it'
        : 'is no private ssh key'
    throw new SwitchyardError('deploy_key_invalid', `${name} ${why}`)
  }
}

/** `SHA256:` and the hash, as forges and `ssh-keygen -l` show it. */
export const fingerprintOf = (publicKey: string): string => {
  const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64')
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}
