import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkToolPaths, type Reach } from './file-tools.ts'

let root: string
let reach: Reach

beforeAll(() => {
  root = realpathSync(
    // Not below /tmp, which is another directory in a sandbox.
    mkdtempSync('/var/tmp/tool-sandbox-'),
  )
  for (const name of ['work/sub', 'other', 'home', 'tmp']) mkdirSync(path.join(root, name), { recursive: true })
  writeFileSync(path.join(root, 'other/secret'), 'x')
  writeFileSync(path.join(root, 'output'), 'x')
  symlinkSync('../other', path.join(root, 'work/link'))
  symlinkSync('../other/new', path.join(root, 'work/dangling'))
  symlinkSync('sub', path.join(root, 'work/inside'))
  symlinkSync('loop', path.join(root, 'work/loop'))
  symlinkSync('../../other/secret', path.join(root, 'work/sub/AGENTS.md'))
  const [directory = '', home = '', tmp = '', output = ''] = ['work', 'home', 'tmp', 'output'].map((name) =>
    path.join(root, name),
  )
  reach = { directory, worktree: directory, home, tmp, outputs: new Set([output]) }
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Returns the arguments as the tool receives them. */
const check = (tool: string, args: Record<string, unknown>): Record<string, unknown> => {
  const given = { ...args }
  checkToolPaths(reach, tool, given)
  return given
}

describe('checkToolPaths', () => {
  it.each(['a', './a/b', 'inside/new', '.git/config', '.'])('allows %s', (filePath) => {
    expect(check('write', { filePath }).filePath).toBe(path.join(reach.directory, filePath))
  })

  it.each(['/etc/passwd', '../other/secret', 'link/secret', 'link/new', 'dangling', 'loop', '/proc/self/environ'])(
    'refuses %s, which leads out of the directory',
    (filePath) => {
      for (const tool of ['read', 'write', 'edit']) expect(() => check(tool, { filePath })).toThrow()
      expect(() => check('grep', { pattern: 'x', path: filePath })).toThrow()
    },
  )

  it('replaces /tmp and HOME of the sandbox by the directories of the host', () => {
    expect(check('read', { filePath: '/tmp/a' }).filePath).toBe(path.join(root, 'tmp/a'))
    expect(check('read', { filePath: '/home/agent/a' }).filePath).toBe(path.join(root, 'home/a'))
    expect(check('read', { filePath: '/home/agent/../agent/passwd2' }).filePath).toBe(path.join(root, 'home/passwd2'))
  })

  it('allows output of this task that was too long for the model', () => {
    expect(check('read', { filePath: path.join(root, 'output') }).filePath).toBe(path.join(root, 'output'))
    expect(() => check('read', { filePath: path.join(root, 'other/secret') })).toThrow('outside')
  })

  it('refuses to read beside instructions that lead out of the directory', () => {
    expect(() => check('read', { filePath: 'sub/a' })).toThrow('AGENTS.md is outside')
    expect(check('read', { filePath: 'a' })).toBeDefined()
  })

  it('refuses a prompt of a subagent that attaches a file outside', () => {
    for (const file of ['link/secret', '../other/secret', '/etc/passwd', '~/.ssh/id_rsa', '/tmp'])
      expect(() => check('task', { prompt: `look at @${file}` })).toThrow('outside')
    expect(check('task', { prompt: 'ask @general about me@example.com and @types/node, `@/etc/passwd`' })).toBeDefined()
  })

  it('refuses a patch of a file outside', () => {
    const patch = (file: string) => ({ patchText: `*** Begin Patch\n*** Add File: ${file}\n+x\n*** End Patch` })
    for (const file of ['link/new', '/tmp/new']) expect(() => check('apply_patch', patch(file))).toThrow('outside')
    expect(check('apply_patch', patch('sub/new'))).toBeDefined()
  })

  it('refuses a directory outside for a command, and leaves the others as they are', () => {
    expect(() => check('bash', { command: 'ls', workdir: path.join(root, 'other') })).toThrow('outside')
    expect(check('bash', { command: 'ls', workdir: '/tmp' })).toEqual({ command: 'ls', workdir: '/tmp' })
  })
})
