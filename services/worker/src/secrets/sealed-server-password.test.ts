import { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { offerSeal } from './sealed-secret.ts'
import { takePassword } from './sealed-server-password.ts'
import { passwordIn } from './server-password.ts'

/** As a caller does it, from what the reference says. */
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

describe('a sealed password', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'switchyard-sealed-'))
  })

  afterEach(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  it('becomes the server’s, in place of the one that was made', async () => {
    const made = await passwordIn(directory)
    await takePassword(directory, seal(await offerSeal(directory), 'example-password'))
    expect(await passwordIn(directory)).toBe('example-password')
    expect(made).not.toBe('example-password')
    expect(await readdir(directory)).toEqual(['password'])
    expect((await stat(path.join(directory, 'password'))).mode & 0o777).toBe(0o600)
  })

  it('is refused without a key, with an earlier one, and where it is no password', async () => {
    const first = await offerSeal(directory)
    const second = await offerSeal(directory)
    const sealed = [seal(first, 'example-password'), seal(second, 'short'), seal(second, 'with:colon'), 'nothing']
    for (const one of sealed)
      await expect(takePassword(directory, one)).rejects.toMatchObject({ code: 'invalid_request' })
    await takePassword(directory, seal(second, 'example-password'))
    await expect(takePassword(directory, seal(second, 'example-password'))).rejects.toThrow(/without a key/)
  })
})
