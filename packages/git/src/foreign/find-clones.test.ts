import { execFile } from 'node:child_process'
import { appendFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { commit, sh, useTestDirectory } from '../git.fixture.ts'
import { findClones, readCheckout } from './find-clones.ts'

const run = promisify(execFile)
const at = useTestDirectory()

describe('readCheckout', () => {
  it('returns the repository of the remote, and the checkout that a linked worktree belongs to', async () => {
    await sh(at(), 'init', '-q', at('one'))
    await commit(at('one'), 'a.txt')
    expect(await readCheckout(at('one'))).toEqual({ directory: at('one'), origin: null, linkedTo: null })
    await sh(at('one'), 'remote', 'add', 'origin', 'https://me:secret-Zq@github.com/Acme/Web.git')
    await sh(at('one'), 'worktree', 'add', '-q', at('linked'))
    const linked = await readCheckout(at('linked'))
    expect(linked).toMatchObject({ origin: { key: 'github.com/acme/web' }, linkedTo: at('one') })
    expect(JSON.stringify(linked)).not.toContain('secret')
    expect(await readCheckout(at())).toBeNull()
    await sh(at(), 'clone', '-q', '--bare', at('one'), at('bare.git'))
    expect(await readCheckout(at('bare.git'))).toMatchObject({ origin: { key: at('one') }, linkedTo: null })
  })

  it('ignores includes, and does not wait for a pipe in the place of the configuration', async () => {
    await sh(at(), 'init', '-q', at('one'))
    await writeFile(at('included'), '[remote "origin"]\n\turl = https://h.example/not/this\n')
    await appendFile(
      at('one', '.git', 'config'),
      `[include]\n\tpath = ${at('included')}\n[remote "up"]\n\turl = git@h.example:o/r\n`,
    )
    expect((await readCheckout(at('one')))?.origin?.key).toBe('h.example/o/r')
    await rm(at('one', '.git', 'config'))
    await run('mkfifo', [at('one', '.git', 'config')])
    expect((await readCheckout(at('one')))?.origin).toBeNull()
  })
})

describe('findClones', () => {
  it('finds the clones below a directory, and gives clones of one repository the same key', async () => {
    for (const [directory, url] of [
      ['a/web', 'git@github.com:acme/web'],
      ['b/web-again', 'https://github.com/Acme/Web.git'],
      ['deep/1/2/3/4/5', 'git@github.com:acme/deep'],
      ['node_modules/x', 'git@github.com:acme/x'],
    ] as const) {
      await sh(at(), 'init', '-q', at(directory))
      await sh(at(directory), 'remote', 'add', 'origin', url)
    }
    const { clones, isTruncated } = await findClones(at())
    expect(clones.map(({ directory, origin }) => [path.relative(at(), directory), origin?.key])).toEqual([
      ['a/web', 'github.com/acme/web'],
      ['b/web-again', 'github.com/acme/web'],
    ])
    expect(isTruncated).toBe(false)
  })
})
