import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { DeployKey, Duplicates, ProjectInfo, Published, Sandbox, StartedProject } from '@switchyard/contracts'
import { type GitSsh, script, startGitSsh } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import { git, makeRepository } from './repository.ts'
import { type System, startSystem } from './system.ts'

let system: System
let place: string
let ssh: GitSsh
let mcp: McpCaller

beforeAll(async () => {
  place = await mkdtemp(path.join(tmpdir(), 'switchyard-test-keys-'))
  ssh = await startGitSsh(path.join(place, 'sshd'))
  system = await startSystem('postgres')
  await writeFile(path.join(system.home, 'known_hosts'), await ssh.knownHost())
  mcp = await connectMcp(system.url)
})

afterAll(async () => {
  await mcp?.close()
  await system?.close()
  await ssh?.close()
  await rm(place, { recursive: true, force: true })
})

const start = (args: Record<string, unknown>) => mcp.call<StartedProject>('opencode_project_start', args)

/** Returns every file below a directory that contains the text. */
const filesWith = async (directory: string, text: string): Promise<readonly string[]> => {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const found: string[] = []
  for (const entry of entries) {
    const file = path.join(entry.parentPath, entry.name)
    if (entry.isFile() && (await readFile(file)).includes(text)) found.push(file)
  }
  return found
}

describe('a private repository', () => {
  it('waits for its deploy key, continues once the host accepts it, and hides the key from the agent', async () => {
    const repository = await makeRepository(path.join(place, 'private'), { 'a.txt': 'a\n' })
    const git_url = ssh.url(repository)
    const waiting = await start({ git_url })
    expect(waiting).toMatchObject({
      status: 'waiting_for_key',
      public_key: expect.stringMatching(/^ssh-ed25519 /),
      next_step: expect.stringContaining('opencode_project_start'),
    })
    expect(await start({ git_url })).toMatchObject({ status: 'waiting_for_key', public_key: waiting.public_key })
    const key = await mcp.call<DeployKey>('opencode_get_deploy_key', { git_url })
    expect(key).toMatchObject({ public_key: waiting.public_key, fingerprint: expect.stringMatching(/^SHA256:/) })

    await ssh.allow(key.public_key, repository, 'read')
    const started = await start({ git_url })
    expect(started).toMatchObject({ status: 'started', public_key: null })
    expect(await readFile(path.join(started.base_dir ?? '', 'a.txt'), 'utf8')).toBe('a\n')

    const task = await mcp.call<{ status: string; result: { output: string } }>('execute_task', {
      task_description: script([
        { tool: 'bash', args: { command: 'env; cat .git; git remote -v', description: 'look' } },
        { say: 'done' },
      ]),
      project: git_url,
      sync: true,
    })
    expect(task.status).toBe('completed')
    const [slug = ''] = await readdir(path.join(system.home, 'keys'))
    const file = path.join(system.home, 'keys', slug, 'id_ed25519')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const secret = (await readFile(file, 'utf8')).split('\n')[1] ?? 'none'
    expect(await filesWith(path.join(system.home, 'workspaces'), secret)).toEqual([])
    expect(await filesWith(path.join(system.home, 'opencode'), secret)).toEqual([])
  })

  it('rotates its key while the old one still works, and then uses only the new one', async () => {
    const repository = await makeRepository(path.join(place, 'rotated'), { 'a.txt': 'a\n' })
    const git_url = ssh.url(repository)
    await start({ git_url })
    const first = await mcp.call<DeployKey>('opencode_get_deploy_key', { git_url })
    await ssh.allow(first.public_key, repository, 'read')
    await start({ git_url })
    const second = await mcp.call<DeployKey>('opencode_get_deploy_key', { git_url, rotate: true })
    expect(second.fingerprint).not.toBe(first.fingerprint)
    const restart = () => mcp.call<ProjectInfo>('opencode_project_restart', { git_url })
    expect((await restart()).status).toBe('ready')
    await ssh.denyAll()
    await ssh.allow(second.public_key, repository, 'read')
    expect((await restart()).status).toBe('ready')
    await ssh.denyAll()
    expect((await restart()).status).toBe('waiting_for_key')
  })

  it("waits when the host rejects the user's own key, and replaces that key by a generated one", async () => {
    const repository = await makeRepository(path.join(place, 'users'), { 'a.txt': 'a\n' })
    const git_url = ssh.url(repository)
    const file = path.join(place, 'users-key')
    await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
    const own = (await readFile(`${file}.pub`, 'utf8')).trim()
    const waiting = await start({ git_url, user_ssh_key: file })
    expect(waiting).toMatchObject({ status: 'waiting_for_key', public_key: own })
    expect(waiting.next_step).toContain(
      `The key belongs to ${file}; to use a new key instead, call opencode_get_deploy_key with rotate`,
    )
    const made = await mcp.call<DeployKey>('opencode_get_deploy_key', { git_url, rotate: true })
    expect(await start({ git_url })).toMatchObject({ status: 'waiting_for_key', public_key: made.public_key })
    await ssh.allow(made.public_key, repository, 'read')
    expect(await start({ git_url })).toMatchObject({ status: 'started' })
    expect(existsSync(file)).toBe(true)
  })

  it('is refused when the host key changed', async () => {
    const repository = await makeRepository(path.join(place, 'other-host'), { 'a.txt': 'a\n' })
    await ssh.replaceHostKey()
    await expect(start({ git_url: ssh.url(repository) })).rejects.toThrow(/host_key_changed/)
  })
})

describe('work', () => {
  it('of a task and a sandbox is published by the worker and exported as a patch and a bundle', async () => {
    const bare = path.join(place, 'published.git')
    const source = await makeRepository(path.join(place, 'published'), { 'a.txt': 'a\n' })
    await git(place, 'clone', '--quiet', '--bare', source, bare)
    const git_url = ssh.url(bare)
    await writeFile(path.join(system.home, 'known_hosts'), await ssh.knownHost())
    const { public_key } = await start({ git_url })
    await ssh.allow(public_key ?? '', bare, 'write')
    const { project_id: id } = await start({ git_url })

    const task = await mcp.call<{ task_id: string }>('execute_task', {
      task_description: script([{ tool: 'write', args: { filePath: 'made.txt', content: 'made\n' } }, { say: 'done' }]),
      project: git_url,
      sync: true,
    })
    const published = await mcp.call<Published>('publish_task', {
      task_id: task.task_id,
      branch: 'made',
      message: 'Make',
    })
    expect(published).toMatchObject({ branch: 'made', pushed: true, commits: 1 })
    expect(await git(bare, 'show', 'made:made.txt')).toBe('made')
    expect(await git(bare, 'log', '-1', '--format=%s', 'made')).toBe('Make')
    expect(await mcp.call('publish_task', { task_id: task.task_id, branch: 'made' })).toMatchObject({ pushed: false })
    const patch = await fetch(`${system.url}/tasks/${task.task_id}/export`).then((response) => response.text())
    await writeFile(path.join(place, 'work.patch'), patch)
    await git(source, 'apply', path.join(place, 'work.patch'))
    expect(await readFile(path.join(source, 'made.txt'), 'utf8')).toBe('made\n')

    const box = await mcp.call<Sandbox>('opencode_sandbox_create', { git_url, name: 'box', branch: 'box' })
    expect((await fetch(`${system.url}/project/${id}/sandbox/box/export`)).status).toBe(204)
    await writeFile(path.join(box.path, 'b.txt'), 'b\n')
    expect(await mcp.call('opencode_sandbox_publish', { git_url, name: 'box' })).toMatchObject({ branch: 'box' })
    expect(await git(bare, 'show', 'box:b.txt')).toBe('b')
    const bundle = await fetch(`${system.url}/project/${id}/sandbox/box/export?format=bundle`)
    await writeFile(path.join(place, 'work.bundle'), Buffer.from(await bundle.arrayBuffer()))
    await git(source, 'fetch', '--quiet', path.join(place, 'work.bundle'), 'refs/switchyard/worktree:refs/heads/got')
    expect(await git(source, 'show', 'got:b.txt')).toBe('b')
  })
})

describe("the caller's own checkout", () => {
  it('is used in its place and left unchanged', async () => {
    const origin = await makeRepository(path.join(place, 'origin'), { 'a.txt': 'a\n' })
    const own = path.join(place, 'own')
    await git(place, 'clone', '--quiet', `file://${origin}`, own)
    const started = await start({ git_url: own })
    expect(started).toMatchObject({ status: 'started', git_url: origin, base_dir: own })
    const second = path.join(place, 'second')
    await git(place, 'clone', '--quiet', `file://${origin}`, second)
    expect(await start({ git_url: second })).toMatchObject({
      status: 'already_running',
      project_id: started.project_id,
      base_dir: own,
      warnings: [expect.anything(), expect.stringMatching(/second clone.*sandbox/)],
    })
    const { duplicates } = await mcp.call<Duplicates>('opencode_detect_duplicates')
    expect(duplicates).toMatchObject([
      { git_url: origin, project_id: started.project_id, directories: [own, second], advice: expect.any(String) },
    ])
    await writeFile(path.join(own, 'mine.txt'), 'mine\n')
    const sandbox = await mcp.call<Sandbox>('opencode_sandbox_create', { git_url: own, name: 's' })
    expect(existsSync(path.join(sandbox.path, 'a.txt'))).toBe(true)
    expect(await mcp.call('opencode_project_destroy', { git_url: started.project_id })).toMatchObject({
      message: expect.stringContaining(own),
    })
    expect(await readFile(path.join(own, 'mine.txt'), 'utf8')).toBe('mine\n')
    expect(existsSync(sandbox.path)).toBe(false)
  })

  it('is refused when it is another repository or none', async () => {
    const one = await makeRepository(path.join(place, 'one'), { 'a.txt': 'a\n' })
    const another = await makeRepository(path.join(place, 'another'), { 'a.txt': 'a\n' })
    await expect(start({ git_url: `file://${one}`, base_dir: another })).rejects.toThrow(/another repository/)
    await expect(start({ git_url: `file://${one}`, base_dir: '/etc' })).rejects.toThrow(/not a git checkout/)
  })
})
