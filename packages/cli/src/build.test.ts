import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const CLI = path.resolve(import.meta.dirname, '..')
const node = async (...args: string[]) => (await promisify(execFile)(process.execPath, args, { cwd: CLI })).stdout

describe('the published package', () => {
  it('runs as plain JavaScript and bundles every workspace package it needs', { timeout: 120_000 }, async () => {
    await node('build.ts')
    const manifest = JSON.parse(await readFile(path.join(CLI, 'dist/package.json'), 'utf8'))
    expect(manifest).toMatchObject({ name: 'switchyard', bundledDependencies: expect.any(Array) })
    for (const name of manifest.bundledDependencies) expect(manifest.dependencies).toHaveProperty(name)
    expect(await node(path.join('dist', manifest.bin.switchyard), '--version')).toBe(`${manifest.version}\n`)
    expect(await node(path.join('dist', manifest.bin.switchyard), 'migrate', '--help')).toContain('--undo')
  })
})
