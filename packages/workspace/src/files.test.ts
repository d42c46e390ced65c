import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listFiles, readFile } from './index.ts'

const run = promisify(execFile)

let root: string
let directory: string
const at = (...names: string[]) => path.join(directory, ...names)

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'switchyard-workspace-'))
  directory = path.join(root, 'task')
  await mkdir(at('dir'), { recursive: true })
  await mkdir(at('.git'))
  await writeFile(at('.git', 'config'), '[core]\n')
  await writeFile(at('dir', 'text.txt'), 'ä'.repeat(10))
  await writeFile(at('data.bin'), Buffer.from([255, 254, 0, 1]))
  await symlink('/etc', at('etc'))
  await symlink('/etc/passwd', at('passwd'))
  await symlink('loop', at('loop'))
  await symlink('dir', at('inside'))
  await run('mkfifo', [at('pipe')])
})

afterEach(() => rm(root, { recursive: true, force: true }))

const OUTSIDE = ['../x', '/etc/passwd', 'passwd', 'etc/passwd', 'etc', '.git/config', 'dir/../../x', 'a\0b', 'loop']

describe('listFiles', () => {
  it('lists files, directories and links by name, without .git and pipes', async () => {
    const { path: shown, entries, truncated } = await listFiles(directory)
    expect(entries.map(({ name, type, size }) => [name, type, size])).toEqual([
      ['data.bin', 'file', 4],
      ['dir', 'directory', null],
      ['etc', 'symlink', null],
      ['inside', 'symlink', null],
      ['loop', 'symlink', null],
      ['passwd', 'symlink', null],
    ])
    expect({ shown, truncated }).toEqual({ shown: '.', truncated: false })
  })

  it('lists a directory inside, also through a link that stays inside', async () => {
    const listed = await listFiles(directory, 'inside')
    expect(listed).toMatchObject({ path: 'dir', entries: [{ name: 'text.txt', path: 'dir/text.txt', size: 20 }] })
  })

  it('cuts a directory of more than 5,000 entries and says so', async () => {
    await Promise.all(Array.from({ length: 5_001 }, (_, n) => writeFile(at('dir', `${n}`), '')))
    const { entries, truncated } = await listFiles(directory, 'dir')
    expect({ count: entries.length, truncated }).toEqual({ count: 5_000, truncated: true })
  })

  it.each(OUTSIDE)('refuses %j, which leaves the working directory', async (name) => {
    await expect(listFiles(directory, name)).rejects.toMatchObject({ code: 'path_outside_workspace' })
  })

  it.each(['none', 'data.bin', 'data.bin/x', 'pipe'])('reports that %s is no directory', async (name) => {
    await expect(listFiles(directory, name)).rejects.toMatchObject({ code: 'file_not_found' })
  })
})

describe('readFile', () => {
  it('returns text as UTF-8, and parts of it without a cut character', async () => {
    expect(await readFile(directory, 'dir/text.txt')).toMatchObject({
      path: 'dir/text.txt',
      content: 'ä'.repeat(10),
      encoding: 'utf-8',
      size: 20,
      truncated: false,
    })
    expect(await readFile(directory, 'dir/text.txt', { limit: 5 })).toMatchObject({ content: 'ää', truncated: true })
    expect(await readFile(directory, 'dir/text.txt', { offset: 18 })).toMatchObject({ content: 'ä', truncated: false })
    expect(await readFile(directory, 'dir/text.txt', { offset: 99 })).toMatchObject({ content: '' })
  })

  it('returns a whole character where the limit ends inside it', async () => {
    expect(await readFile(directory, 'dir/text.txt', { limit: 1 })).toMatchObject({ content: 'ää', truncated: true })
  })

  it('returns anything else as base64', async () => {
    expect(await readFile(directory, 'data.bin')).toMatchObject({ content: '//4AAQ==', encoding: 'base64' })
  })

  it('returns 1 MiB at most', async () => {
    await writeFile(at('big'), Buffer.alloc(1_048_577, 'x'))
    const { content, truncated } = await readFile(directory, 'big', { limit: 2_000_000 })
    expect({ length: content.length, truncated }).toEqual({ length: 1_048_576, truncated: true })
  })

  it.each(OUTSIDE)('refuses %j, which leaves the working directory', async (name) => {
    await expect(readFile(directory, name)).rejects.toMatchObject({ code: 'path_outside_workspace' })
  })

  it.each(['none', 'dir', 'pipe', 'data.bin/x'])('reports that %s is no file', async (name) => {
    await expect(readFile(directory, name)).rejects.toMatchObject({ code: 'file_not_found' })
  })
})

describe('a working directory that an agent replaced by a link', () => {
  it('shows nothing of the directory that the link leads to', async () => {
    await mkdir(path.join(root, 'secrets'))
    await writeFile(path.join(root, 'secrets', 'services.env'), 'PASSWORD=hunter2\n')
    await rename(directory, path.join(root, 'moved'))
    await symlink(path.join(root, 'secrets'), directory)
    const gone = { code: 'workspace_gone' }
    await expect(readFile(directory, 'services.env')).rejects.toMatchObject(gone)
    await expect(listFiles(directory)).rejects.toMatchObject(gone)
  })
})
