// A secret that somebody else chose, such as the password of a server or a deploy key that are to be gone on with.
//
// What the api asks of workers goes through the database, which is no place for secrets. So the worker offers a key, and the secret
// comes sealed with it: base64 of a new AES key encrypted by RSA-OAEP (SHA-256), a nonce of 12 bytes, the secret encrypted by
// AES-256-GCM, and its tag of 16 bytes.

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
    hint: 'Ask for a key and seal it anew, as the reference of this call says.',
  })
}

/** @param directory - where the secret's place is; made where it is not there. @returns a public key (PEM), good for one secret */
export const offerSeal = async (directory: string): Promise<string> => {
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

/** @throws SwitchyardError `invalid_request` where no key was offered, or it was sealed with another one */
export const openSealed = async (directory: string, sealed: string): Promise<string> => {
  const file = path.join(directory, KEY_FILE)
  const key = await readFile(file, 'utf8').catch(() => refuse('comes without a key that was offered for it'))
  try {
    return open(key, Buffer.from(sealed, 'base64'))
  } catch {
    return refuse('was not sealed with the key that was offered last')
  }
}

/** The secret is in its place: the key that was offered for it is of no more use. */
export const closeSeal = async (directory: string): Promise<void> =>
  await rm(path.join(directory, KEY_FILE), { force: true })
