// Secrets that a caller chose, such as a server's password or a deploy key, on their way to a
// worker.
//
// Calls to workers go through the database, which must not contain secrets. So the worker creates a
// key pair, and the secret arrives sealed with the public key: base64 of a new AES key encrypted by
// RSA-OAEP (SHA-256), a nonce of 12 bytes, the secret encrypted by AES-256-GCM, and its tag of 16
// bytes.

import { constants, createDecipheriv, generateKeyPair, privateDecrypt } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { SwitchyardError } from '@switchyard/contracts'

const KEY_FILE = 'seal-key'
const RSA_BITS = 2_048
const RSA_BYTES = RSA_BITS / 8
const NONCE_BYTES = 12
const TAG_BYTES = 16

const refuse = (why: string): never => {
  throw new SwitchyardError('invalid_request', `the sealed secret ${why}`, {
    hint: "Request a new key and seal the secret with it, as described in this call's reference.",
  })
}

/**
 * Creates a key pair to seal one secret with. It replaces an earlier one.
 *
 * @param directory - where the secret will be stored; created if it does not exist.
 * @returns the public key (PEM).
 */
export const createSealKey = async (directory: string): Promise<string> => {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: RSA_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(path.join(directory, KEY_FILE), privateKey, { mode: 0o600 })
  return publicKey
}

const open = (key: string, sealed: Buffer): string => {
  const nonceAt = RSA_BYTES + NONCE_BYTES
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const secretKey = privateDecrypt({ key, padding, oaepHash: 'sha256' }, sealed.subarray(0, RSA_BYTES))
  const decipher = createDecipheriv('aes-256-gcm', secretKey, sealed.subarray(RSA_BYTES, nonceAt), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(sealed.subarray(nonceAt, -TAG_BYTES)), decipher.final()]).toString('utf8')
}

/**
 * Returns the secret.
 *
 * @throws SwitchyardError `invalid_request` if there is no key, or the secret was sealed with
 *   another one
 */
export const openSealed = async (directory: string, sealed: string): Promise<string> => {
  const file = path.join(directory, KEY_FILE)
  const key = await readFile(file, 'utf8').catch(() => refuse('has no key to open it with'))
  try {
    return open(key, Buffer.from(sealed, 'base64'))
  } catch {
    return refuse('was not sealed with the last key')
  }
}

/** Removes the key after the secret was stored. */
export const removeSealKey = async (directory: string): Promise<void> =>
  await rm(path.join(directory, KEY_FILE), { force: true })
