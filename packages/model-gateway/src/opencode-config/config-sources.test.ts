import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readOperatorConfig } from './config-sources.ts'
import { moveLogins } from './logins.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'switchyard-config-'))
  await mkdir(path.join(root, 'opencode'))
})
afterEach(async () => await rm(root, { recursive: true, force: true }))

describe("the operator's OpenCode configuration", () => {
  it('is merged from all of its sources, with comments, variables and files', async () => {
    await writeFile(
      path.join(root, 'opencode', 'opencode.jsonc'),
      '{ // mine\n "provider": { "a": { "options": { "apiKey": "{env:A_KEY}", "region": "one" } } }, }',
    )
    await writeFile(path.join(root, 'secret'), 'from-file\n')
    const file = path.join(root, 'own.json')
    await writeFile(file, '{"provider":{"b":{"options":{"apiKey":"{file:./secret}"}}}}')
    const { config, content, variables } = await readOperatorConfig({
      XDG_CONFIG_HOME: root,
      OPENCODE_CONFIG: file,
      OPENCODE_CONFIG_CONTENT: '{"provider":{"a":{"options":{"region":"two"}}}}',
      A_KEY: 'say "hi"',
    })
    expect(config).toEqual({
      provider: { a: { options: { apiKey: 'say "hi"', region: 'two' } }, b: { options: { apiKey: 'from-file' } } },
    })
    expect(content).toEqual({ provider: { a: { options: { region: 'two' } } } })
    expect([...variables]).toEqual(['A_KEY'])
  })

  it('is empty without any source', async () => {
    expect(await readOperatorConfig({ HOME: root })).toMatchObject({ config: {}, content: {} })
  })
})

describe("OpenCode's logins", () => {
  it('lose their keys to a file that only its owner can read, and keep OAuth tokens', async () => {
    const from = path.join(root, 'auth.json')
    const to = path.join(root, 'gateway', 'auth.json')
    const oauth = { type: 'oauth', refresh: 'r', access: 'a', expires: 0 }
    await writeFile(from, JSON.stringify({ anthropic: { type: 'api', key: 'one' }, openai: oauth }))
    const first = await moveLogins(from, to)
    expect(first).toMatchObject({ moved: ['anthropic'], oauth: ['openai'] })
    expect(first.keys.get('anthropic')?.key).toBe('one')
    expect(JSON.parse(await readFile(from, 'utf8'))).toEqual({ openai: oauth })
    expect((await stat(to)).mode & 0o777).toBe(0o600)
    const second = await moveLogins(from, to)
    expect(second.moved).toEqual([])
    expect(second.keys.get('anthropic')?.key).toBe('one')
  })
})
