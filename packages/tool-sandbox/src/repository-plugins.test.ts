import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { repositoryPlugins } from './repository-plugins.ts'

let directory: string

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tool-sandbox-'))
  mkdirSync(path.join(directory, '.opencode'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

it('finds the packages that a repository names as plugins, in every spelling', () => {
  writeFileSync(
    path.join(directory, 'opencode.jsonc'),
    '{ // a "comment"\n "plugin": ["one@1.0.0", ["@scope/two", { "a": "//" }],], /* x */ "model": "a/b", }',
  )
  writeFileSync(
    path.join(directory, '.opencode/opencode.json'),
    '{ "\\u0070lugins": [{ "package": "three" }, "./four.js"] }',
  )
  expect(repositoryPlugins(directory, '/packages')).toEqual([
    '/packages/one@1.0.0',
    '/packages/@scope/two',
    '/packages/three',
    '/packages/four.js',
  ])
})

it('finds none without a configuration, and all packages in one that is not JSON', () => {
  expect(repositoryPlugins('/nonexistent', '/packages')).toEqual([])
  writeFileSync(path.join(directory, 'opencode.jsonc'), '{ "plugin": [one] }')
  expect(repositoryPlugins(directory, '/packages')).toContain('/packages')
})
