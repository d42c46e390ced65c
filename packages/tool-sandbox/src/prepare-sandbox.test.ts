import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prepareSandbox, type ServerSandbox } from './index.ts'
import { toolSandbox } from './plugin.ts'

const hasSandbox = existsSync('/usr/bin/bwrap')

let root: string
let directory: string
let server: ServerSandbox

const prepare = async (PATH = process.env.PATH ?? '') =>
  await prepareSandbox({
    workspaces: path.join(root, 'workspaces'),
    state: path.join(root, 'state'),
    env: { PATH, SECRET: 'x' },
    passVariables: [],
    readOnly: [],
    hidden: [],
    repositories: [],
  })

beforeAll(async () => {
  root = realpathSync(mkdtempSync(path.join(tmpdir(), 'tool-sandbox-')))
  directory = path.join(root, 'workspaces/tasks/one')
  mkdirSync(path.join(root, 'workspaces/tasks/two'), { recursive: true })
  mkdirSync(directory, { recursive: true })
  const prepared = await prepare()
  if (!prepared.isAvailable) return
  server = prepared.server
  Object.assign(process.env, server.env)
})
afterAll(() => {
  for (const name of Object.keys(server?.env ?? {})) delete process.env[name]
  rmSync(root, { recursive: true, force: true })
})

it('says what is missing where there is no bubblewrap', async () => {
  expect(await prepare('/nonexistent')).toEqual({
    isAvailable: false,
    reason: 'bwrap is not installed (package bubblewrap)',
  })
})

describe.skipIf(!hasSandbox)('the launchers', () => {
  const shell = async (command: string, cwd = directory) => {
    const output = { env: {} as Record<string, string> }
    await (await toolSandbox({ directory }))['shell.env']({ cwd }, output)
    return spawnSync(server.config.shell, ['-c', command], {
      cwd,
      encoding: 'utf8',
      env: { SECRET: 'x', ...output.env },
    })
  }

  it('refuse a command without a sandbox', () => {
    const { status, stderr } = spawnSync(server.config.shell, ['-c', 'echo ran'], { encoding: 'utf8', env: {} })
    expect([status, stderr]).toEqual([126, expect.stringContaining('no sandbox was prepared')])
  })

  it('return the output and the exit code of a command, with every character of it', async () => {
    const { status, stdout } = await shell(`printf '%s|' "a  b" '*' "$HOME" 'ü'; pwd; exit 7`)
    expect([status, stdout]).toEqual([7, `a  b|*|/home/agent|ü|${directory}\n`])
  })

  it('hide the environment, the other directories and the processes of the machine', async () => {
    const { stdout } = await shell(
      'env | grep -c SECRET; ls ..; ls /proc | grep -c "^[0-9]"; grep -h CapEff /proc/self/status',
    )
    expect(stdout).toMatch(/^0\none\n[2-6]\nCapEff:\t0+\n$/)
  })

  it("do not pass the server's environment to the first process of the sandbox, whose environment /proc shows", async () => {
    const output = { env: {} as Record<string, string> }
    await (await toolSandbox({ directory }))['shell.env']({ cwd: directory }, output)
    const env = { SECRET: 'x', SWITCHYARD_SERVER_ID: 'one', ...output.env }
    const child = spawn(server.config.shell, ['-c', 'echo started; sleep 5'], { cwd: directory, env })
    await once(child.stdout, 'data')
    expect(readFileSync(`/proc/${child.pid}/environ`, 'utf8')).toBe('SWITCHYARD_SERVER_ID=one\0')
    child.kill('SIGKILL')
  })

  it('keep the system read-only', async () => {
    const { stderr } = await shell('touch /usr/x /etc/passwd; cat /etc/shadow')
    expect(stderr).toMatch(/Read-only file system[\s\S]*shadow: No such file/)
  })

  it('run the git of the server in a sandbox of one directory', () => {
    const marker = path.join(root, 'marker')
    execFileSync('git', ['init', '-q'], { cwd: directory })
    writeFileSync(path.join(directory, '.git/run'), `#!/bin/sh\ntouch ${marker}; ls ${root}/workspaces/tasks >&2\n`, {
      mode: 0o755,
    })
    execFileSync('git', ['config', 'core.fsmonitor', path.join(directory, '.git/run')], { cwd: directory })
    const git = (args: string[]) => spawnSync(path.join(server.bin, 'git'), args, { cwd: directory, encoding: 'utf8' })
    const { status, stderr } = git(['status', '--short'])
    expect([status, stderr]).toEqual([0, expect.stringMatching(/^one\n(?!two)/)])
    expect(existsSync(marker)).toBe(false)
    expect(git(['rev-parse', '--show-toplevel']).stdout).toBe(`${directory}\n`)
    // Where no agent can write, it runs as it is.
    for (const cwd of ['/', root, path.join(root, 'workspaces')])
      expect(spawnSync(path.join(server.bin, 'git'), ['--version'], { cwd, encoding: 'utf8' }).status, cwd).toBe(0)
  })
})
