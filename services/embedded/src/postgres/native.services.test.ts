import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chooseAccount } from './account.ts'
import { findNative, prepareBinaries } from './native.ts'

const isRoot = process.getuid?.() === 0

describe('prepareBinaries', () => {
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'switchyard-native-'))
    chmodSync(directory, 0o711)
  })

  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  /** Copies the package as npm unpacks it with --ignore-scripts: without its symbolic links. */
  const unlinkedPackage = (): string => {
    const folder = path.join(directory, 'package')
    cpSync(path.dirname(findNative()), folder, {
      recursive: true,
      filter: (file) => !/lib(ecpg|icu|pq|pgtypes).*\.so(\.\d+)?$/.test(file),
    })
    expect(existsSync(path.join(folder, 'native/lib/libicuuc.so.60'))).toBe(false)
    return path.join(folder, 'native')
  }

  it('uses the installed binaries in place', async () => {
    const native = findNative()
    const binaries = await prepareBinaries(native, await chooseAccount(), directory)
    expect(binaries).toEqual({ postgres: `${native}/bin/postgres`, initdb: `${native}/bin/initdb`, major: 18 })
  })

  it('creates one repaired copy if npm ran no install scripts', async () => {
    const native = unlinkedPackage()
    const first = await prepareBinaries(native, await chooseAccount(), directory)
    expect(first.postgres.startsWith(`${directory}/binaries-`)).toBe(true)
    rmSync(path.join(native, 'bin'), { recursive: true })
    expect(await prepareBinaries(native, await chooseAccount(), directory)).toEqual(first)
  })

  it.runIf(isRoot)('copies the binaries if the account cannot reach the checkout', async () => {
    const closed = path.join(directory, 'closed')
    cpSync(path.dirname(findNative()), path.join(closed, 'package'), { recursive: true, verbatimSymlinks: true })
    chmodSync(closed, 0o700)
    const binaries = await prepareBinaries(path.join(closed, 'package', 'native'), await chooseAccount(), directory)
    expect(binaries.postgres.startsWith(`${directory}/binaries-`)).toBe(true)
    expect(binaries.major).toBe(18)
  })
})
