// Encrypts a secret so that only the worker can read it, not the api or its database.

import { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto'

/**
 * Encrypts a secret with a new AES key, and that key with the worker's public key.
 *
 * @param key - the public key (PEM) that the worker created for this secret
 * @returns base64 in the format that `PUT /project/{id}/key` describes
 */
export const sealSecret = (key: string, secret: string): string => {
  const [secretKey, nonce] = [randomBytes(32), randomBytes(12)]
  const cipher = createCipheriv('aes-256-gcm', secretKey, nonce)
  const encrypted = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
  const sealedKey = publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, secretKey)
  return Buffer.concat([sealedKey, nonce, encrypted, cipher.getAuthTag()]).toString('base64')
}
