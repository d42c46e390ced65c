// Seals a secret for the worker alone: neither the api nor its database can read it.

import { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto'

/** @param key - the public key that was offered for it (PEM). @returns base64, as PUT /project/{id}/key describes it */
export const seal = (key: string, secret: string): string => {
  const [secretKey, nonce] = [randomBytes(32), randomBytes(12)]
  const cipher = createCipheriv('aes-256-gcm', secretKey, nonce)
  const encrypted = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
  const sealedKey = publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, secretKey)
  return Buffer.concat([sealedKey, nonce, encrypted, cipher.getAuthTag()]).toString('base64')
}
