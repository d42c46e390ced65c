import { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSealKey } from './sealed-secret.ts'
import { storeSealedPassword } from './sealed-server-password.ts'
import { serverPassword } from './server-password.ts'

/** Seals a secret as a caller does, following the API reference. */
const seal = (key: string, secret: string): string => {
  const [secretKey, nonce] = [randomBytes(32), randomBytes(12)]
  const cipher = createCipheriv('aes-256-gcm', secretKey, nonce)
  return Buffer.concat([
    publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, secretKey),
    nonce,
    cipher.update(secret, 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ]).toString('base64')
}

describe('storeSealedPassword', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'switchyard-sealed-'))
  })

  afterEach(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  it('replaces the generated password of the server', async () => {
    const generated = await serverPassword(directory)
    await storeSealedPassword(directory, seal(await createSealKey(directory), 'example-password'))
    expect(await serverPassword(directory)).toBe('example-password')
    expect(generated).not.toBe('example-password')
    expect(await readdir(directory)).toEqual(['password'])
    expect((await stat(path.join(directory, 'password'))).mode & 0o777).toBe(0o600)
  })

  it('rejects a secret without a key, with an earlier key, or with an invalid password', async () => {
    const first = await createSealKey(directory)
    const second = await createSealKey(directory)
    const sealed = [seal(first, 'example-password'), seal(second, 'short'), seal(second, 'with:colon'), 'nothing']
    for (const one of sealed)
      await expect(storeSealedPassword(directory, one)).rejects.toMatchObject({ code: 'invalid_request' })
    await storeSealedPassword(directory, seal(second, 'example-password'))
    await expect(storeSealedPassword(directory, seal(second, 'example-password'))).rejects.toThrow(/has no key/)
  })
})
