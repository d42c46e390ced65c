import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyKey } from './copy-key.ts'

describe('copyKey', () => {
  let root: string

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'switchyard-keys-'))
  })

  afterEach(async () => {
    await rm(root, { recursive: true, force: true })
  })

  it('makes a copy for its owner alone, once, and writes over no other key', async () => {
    const [from, to] = [path.join(root, 'old'), path.join(root, 'keys/new')]
    await writeFile(from, 'key', { mode: 0o644 })
    expect(await copyKey(from, to)).toBe(true)
    expect(await copyKey(from, to)).toBe(false)
    expect([await readFile(to, 'utf8'), (await stat(to)).mode & 0o777]).toEqual(['key', 0o600])
    await writeFile(from, 'another')
    await expect(copyKey(from, to)).rejects.toMatchObject({ code: 'directory_unwritable' })
    expect(await readFile(to, 'utf8')).toBe('key')
  })
})
