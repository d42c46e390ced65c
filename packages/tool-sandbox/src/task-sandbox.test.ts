import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SandboxSettings } from './settings.ts'
import { taskSandbox } from './task-sandbox.ts'

let root: string
let settings: SandboxSettings

beforeAll(() => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), 'tool-sandbox-')))
  settings = {
    workspaces: path.join(root, 'workspaces'),
    state: path.join(root, 'state'),
    command: ['bwrap'],
    shell: '/bin/bash',
    environment: { PATH: '/bin' },
    repositories: [path.join(root, 'workspaces/repos')],
    author: { name: 'A "quoted" name', email: 'a@example.invalid' },
  }
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const create = (name: string): string => {
  const directory = path.join(settings.workspaces, name)
  mkdirSync(directory, { recursive: true })
  return directory
}
const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x', ...args], { cwd })
const commandOf = (directory: string): string => taskSandbox(settings, directory)?.command(directory).join(' ') ?? ''

describe('taskSandbox', () => {
  it('shows the working directory, and HOME and /tmp of its own', () => {
    const directory = create('tasks/one')
    const sandbox = taskSandbox(settings, directory)
    expect(sandbox?.command('/x').join(' ')).toMatch(
      new RegExp(`--bind ${directory} ${directory} --setenv PATH /bin --chdir /x -- /bin/bash$`),
    )
    expect(taskSandbox(settings, create('tasks/two'))?.home).not.toBe(sandbox?.home)
    expect(readFileSync(path.join(sandbox?.home ?? '', '.gitconfig'), 'utf8')).toContain('name = "A \\"quoted\\" name"')
  })

  it('refuses a directory that contains those of tasks', () => {
    create('tasks')
    for (const directory of [settings.workspaces, root, '/']) expect(taskSandbox(settings, directory)).toBeUndefined()
  })

  it('shows the repository of a linked worktree, and what a clone borrows from', () => {
    const shared = create('repos/sums')
    git(shared, 'init', '-q')
    git(shared, 'commit', '-q', '--allow-empty', '-m', 'first')
    const directory = path.join(settings.workspaces, 'tasks/linked')
    git(shared, 'worktree', 'add', '-q', directory)
    expect(commandOf(directory)).toContain(`--bind ${shared}/.git ${shared}/.git`)
    const clone = path.join(settings.workspaces, 'tasks/clone')
    git(shared, 'clone', '-q', '--shared', shared, clone)
    expect(commandOf(clone)).toContain(`--ro-bind ${shared}/.git/objects ${shared}/.git/objects`)
    expect(commandOf(clone)).not.toContain(`--bind ${shared}`)
  })

  it('does not follow a .git that an agent has rewritten', () => {
    const other = create('repos/other')
    git(other, 'init', '-q')
    const directory = create('tasks/rewritten')
    expect(commandOf(directory)).not.toContain(other)
    writeFileSync(path.join(directory, '.git'), `gitdir: ${other}/.git\n`)
    expect(commandOf(directory)).not.toContain(other)
  })

  it('shows no directory of another task as a repository', () => {
    const other = create('tasks/other')
    git(other, 'init', '-q')
    const directory = create('tasks/points-elsewhere')
    writeFileSync(path.join(directory, '.git'), `gitdir: ${other}/.git\n`)
    expect(commandOf(directory)).not.toContain(other)
  })

  it('starts with an empty HOME and /tmp in a directory that was created again', () => {
    const directory = create('tasks/again')
    const first = taskSandbox(settings, directory)
    writeFileSync(path.join(first?.tmp ?? '', 'left'), 'x')
    rmSync(directory, { recursive: true })
    const second = taskSandbox(settings, create('tasks/again'))
    expect(() => readFileSync(path.join(second?.tmp ?? '', 'left'))).toThrow('ENOENT')
  })
})
