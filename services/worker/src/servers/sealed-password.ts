// A password for a project's own server that somebody else chose, such as that of the server it takes the place of.
//
// What the api asks of workers goes through the database, which is no place for secrets. So the worker offers a key, and
// the password comes sealed with it.

import { constants, generateKeyPair, privateDecrypt } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { SwitchyardError } from '@switchyard/contracts'

const KEY_FILE = 'password-key'
/** Printable ASCII without a colon: what HTTP's Basic authentication can carry everywhere. */
const PASSWORD = /^[\x21-\x39\x3b-\x7e]{8,190}$/

const refuse = (why: string): never => {
  throw new SwitchyardError('invalid_request', `the sealed password ${why}`)
}

/** @param directory - the server's. @returns a public key (PEM), good for one password */
export const offerKey = async (directory: string): Promise<string> => {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(path.join(directory, KEY_FILE), privateKey, { mode: 0o600 })
  return publicKey
}

/** @throws SwitchyardError `invalid_request` where it was sealed with another key, or is no password */
export const takePassword = async (directory: string, sealed: string): Promise<void> => {
  const keyFile = path.join(directory, KEY_FILE)
  const key = await readFile(keyFile, 'utf8').catch(() => refuse('comes without a key that was offered for it'))
  const password = (() => {
    try {
      const padding = constants.RSA_PKCS1_OAEP_PADDING
      return privateDecrypt({ key, padding, oaepHash: 'sha256' }, Buffer.from(sealed, 'base64')).toString('utf8')
    } catch {
      return refuse('was not sealed with the key that was offered last')
    }
  })()
  if (!PASSWORD.test(password)) refuse('is not 8 to 190 printable characters without a colon')
  const file = path.join(directory, 'password')
  await writeFile(`${file}.new`, password, { mode: 0o600 })
  await rename(`${file}.new`, file)
  await rm(keyFile, { force: true })
}
