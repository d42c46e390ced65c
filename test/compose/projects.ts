// Tests of projects on a running stack, with repositories over ssh and https on the engine's host.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type {
  DeployKey,
  DestroyedProject,
  ProjectInfo,
  Published,
  Sandbox,
  SandboxChanged,
  SentToSession,
  ServerList,
  StartedProject,
} from '@switchyard/contracts'
import { type GitSsh, script, startGitSsh } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LegacyTreeFixture, v1 } from '../../packages/cli/src/migrate/legacy-tree.fixture.ts'
import { connectMcp, type McpCaller } from '../integration/mcp-caller.ts'
import { git, makeBareRepository } from '../integration/repository.ts'
import type { Caller } from './caller.ts'
import { REPOSITORY } from './docker.ts'
import type { Stack } from './stack.ts'

const run = promisify(execFile)
const HOME = '/var/lib/switchyard'

/** A running stack that was started with the token and the certificate authority of `https`. */
type Given = {
  readonly stack: Stack
  readonly caller: Caller
  readonly https: { readonly url: string; readonly bare: string; readonly token: string }
}

/** Returns the address at which the workers reach this machine. */
const gatewayOf = async (stack: Stack): Promise<string> => {
  const [worker] = await stack.inspect('worker')
  const networks = Object.entries(worker?.NetworkSettings.Networks ?? {})
  const [, network] = networks.find(([name]) => name.endsWith('_outside')) ?? []
  if (!network) throw new Error('the worker has no route to the host')
  return network.Gateway
}

/**
 * Defines the tests, inside the `describe` of a stack. They leave no project behind.
 *
 * @param isMissing - whether Docker is missing; nothing is set up then
 */
export const describeProjects = (given: () => Given, isMissing: boolean): void => {
  describe('projects', () => {
    let directory: string
    let ssh: GitSsh
    let mcp: McpCaller
    let bare: string
    let url: string

    beforeAll(async () => {
      if (isMissing) return
      const { stack } = given()
      directory = await mkdtemp(path.join(tmpdir(), 'switchyard-test-stack-projects-'))
      ssh = await startGitSsh(path.join(directory, 'sshd'), await gatewayOf(stack))
      mcp = await connectMcp(stack.url)
      bare = await makeBareRepository(directory, 'sums', { 'a.txt': 'a\n' })
      url = ssh.url(bare)
      const known = Buffer.from(await ssh.knownHost()).toString('base64')
      await stack.shell('worker', `echo ${known} | base64 -d >> "$SWITCHYARD_HOME/known_hosts"`)
    })

    afterAll(async () => {
      await mcp?.close()
      await ssh?.close()
      if (directory) await rm(directory, { recursive: true, force: true })
    })

    const start = (git_url: string) => mcp.call<StartedProject>('opencode_project_start', { git_url })
    const projects = async () => (await mcp.call<{ projects: ProjectInfo[] }>('opencode_project_list')).projects

    it('start as soon as the host accepts their key', async () => {
      const waiting = await start(url)
      expect(waiting).toMatchObject({ status: 'waiting_for_key', public_key: expect.stringMatching(/^ssh-ed25519 /) })
      await ssh.allow(waiting.public_key ?? '', bare, 'write')
      expect(await start(url)).toMatchObject({ status: 'started', url: 'http://opencode:4096' })
      expect(await given().stack.shell('opencode', `cat ${waiting.base_dir}/a.txt`)).toBe('a\n')
    })

    it('store their private keys where only the worker can read them', async () => {
      const { stack } = given()
      const secret = (await stack.shell('worker', `sed -n 2p ${HOME}/keys/*/id_ed25519`)).trim()
      expect(secret.length).toBeGreaterThan(40)
      const search = `grep -rlF -e ${secret} ${HOME} /workspaces /home /tmp /run 2>/dev/null || true`
      expect((await stack.shell('worker', search)).trim()).toMatch(/id_ed25519$/)
      for (const service of ['opencode', 'api', 'notifier'])
        expect([service, await stack.shell(service, search)]).toEqual([service, ''])
    })

    it('use the token of their host over https, which only the worker has', async () => {
      const { stack, https } = given()
      const { status, base_dir } = await start(https.url)
      expect(status).toBe('started')
      await stack.shell('opencode', `echo d > ${base_dir}/d.txt`)
      const { project_id: id } = (await projects()).find(({ git_url }) => git_url === https.url) ?? {}
      await mcp.call('opencode_sandbox_create', { git_url: https.url, name: 'web', start_command: 'echo w > w.txt' })
      await mcp.call('opencode_sandbox_publish', { git_url: https.url, name: 'web', branch: 'web', message: 'Add w' })
      expect(await git(https.bare, 'show', 'web:w.txt')).toBe('w')
      const search = `grep -rlF -e ${https.token} ${HOME} /workspaces /home /tmp /run 2>/dev/null || true; env | grep -c ${https.token}`
      for (const service of ['opencode', 'api', 'notifier'])
        expect([service, (await stack.shell(service, `${search} || true`)).trim()]).toEqual([service, '0'])
      expect((await stack.shell('worker', `${search} || true`)).trim()).toBe('1')
      expect(JSON.stringify(await mcp.call('opencode_project_status', { git_url: https.url }))).toContain(id)
      await mcp.call('opencode_project_destroy', { git_url: https.url, force: true })
    })

    it('have sandboxes that are published over ssh, and not deleted with unpublished work', async () => {
      const { stack, caller } = given()
      const named = { git_url: url, name: 'box' }
      const box = await mcp.call<Sandbox>('opencode_sandbox_create', {
        ...named,
        branch: 'feature/box',
        start_command: 'echo made > made.txt',
      })
      const { task_id } = await caller.submit({
        task_description: script([{ tool: 'write', args: { filePath: 'b.txt', content: 'b\n' } }, { say: 'done' }]),
        project: url,
        sandbox: 'box',
      })
      expect(await caller.ended(task_id)).toMatchObject({ status: 'completed', directory: box.path })
      const [{ project_id: id } = { project_id: '' }] = await projects()
      const patch = await fetch(`${stack.url}/project/${id}/sandbox/box/export`)
      expect(await patch.text()).toContain('+made')
      await expect(mcp.call('opencode_sandbox_delete', named)).rejects.toThrow(/work_would_be_lost/)
      const published = await mcp.call<Published>('opencode_sandbox_publish', { ...named, message: 'Add b' })
      expect(published).toMatchObject({ branch: 'feature/box', pushed: true, commits: 1 })
      expect(await git(bare, 'show', 'feature/box:b.txt', 'feature/box:made.txt')).toBe('b\nmade')

      await stack.shell('opencode', `echo c > ${box.path}/c.txt`)
      await expect(mcp.call('opencode_sandbox_reset', named)).rejects.toThrow(/work_would_be_lost/)
      const { bundle } = await mcp.call<SandboxChanged>('opencode_sandbox_delete', { ...named, force: true })
      const file = path.join(directory, 'kept.bundle')
      await stack.compose(['cp', `worker:${bundle}`, file])
      await git(bare, 'fetch', '-q', file, 'refs/switchyard/worktree:refs/heads/kept')
      expect(await git(bare, 'show', 'kept:c.txt')).toBe('c')
      expect((await projects())[0]?.worktrees).toEqual([])
    })

    it('continue after a worker was killed during a start and a message', { timeout: 300_000 }, async () => {
      const { stack } = given()
      const other = path.join(directory, 'other.git')
      await git(directory, 'clone', '-q', '--bare', bare, other)
      const otherUrl = ssh.url(other)
      const { public_key } = await start(otherUrl)
      await ssh.allow(public_key ?? '', other, 'read')
      const sessions = await connectMcp(stack.url, { path: '/mcp/sessions' })
      const { session_id } = await sessions.call<{ session_id: string }>('opencode_session_create', { git_url: url })

      const held = await ssh.hold()
      const starting = start(otherUrl).catch(() => undefined)
      const message = sessions.call<SentToSession>('opencode_session_message', {
        git_url: url,
        session_id,
        message: script([{ hold: 'killed' }, { say: 'said after the restart' }]),
        wait_ms: 45_000,
      })
      await held.reached()
      await expect.poll(() => sessionState(session_id), { timeout: 30_000, interval: 250 }).toBe('active')
      // The kill also ends the shell that runs it.
      await stack.shell('worker', 'kill -9 -1').catch(() => {})
      await expect.poll(restarts, { timeout: 30_000, interval: 250 }).toBe(1)
      await held.release()
      await stack.shell(
        'model',
        `node -e "fetch('http://127.0.0.1:8080/control/release/killed',{method:'POST'}).then(r=>process.exit(r.ok?0:1))"`,
      )
      expect(await message).toMatchObject({ text: 'said after the restart', error: null })
      await sessions.close()
      await starting
      expect((await start(otherUrl)).status).toMatch(/^(started|already_running)$/)
      const { bundles } = await mcp.call<DestroyedProject>('opencode_project_destroy', { git_url: otherUrl })
      expect(bundles).toEqual([])
      // The killed worker's unfinished clone was removed too.
      const left = await stack.shell('worker', `ls -A ${HOME}/mirrors ${HOME}/keys /workspaces /workspaces/repos /tmp`)
      expect(left).not.toMatch(/other.*(?<!\.worktrees)$|\.new-|switchyard-git-/m)
    })

    const restarts = async (): Promise<number> => (await given().stack.inspect('worker'))[0]?.RestartCount ?? 0

    const sessionState = async (id: string): Promise<string | undefined> => {
      const [{ project_id } = { project_id: '' }] = (await projects()).filter(({ git_url }) => git_url === url)
      const session = (await given().caller.get(`/project/${project_id}/session/${id}`)) as { status: string }
      return session.status
    }

    it('are migrated from an older manager with their keys', async () => {
      const { stack } = given()
      const tree = await LegacyTreeFixture.create()
      try {
        const repository = await tree.remote('blog')
        const clone = await tree.clone(repository, 'opencode-sandboxes/blog/repo')
        const git_url = ssh.url(repository)
        await git(clone, 'remote', 'set-url', 'origin', git_url)
        await tree.write({ 'mine.txt': 'mine\n' }, clone)
        await tree.write({
          'opencode-state.json': { projects: { blog: v1('blog', git_url) } },
          'opencode-keys/.keep': '',
        })
        const key = path.join(tree.memory, 'opencode-keys/blog-deploy')
        await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
        const publicKey = (await readFile(`${key}.pub`, 'utf8')).trim()
        await ssh.allow(publicKey, repository, 'read')
        const migrate = (...args: string[]) =>
          run(process.execPath, ['packages/cli/src/main.ts', 'migrate', ...args, '--url', stack.url], {
            cwd: REPOSITORY,
          })
        const backup = tree.at('backup')
        await migrate('--from', tree.memory, '--managed', '--shared', '--execute', '--backup', backup)
        expect((await mcp.call<DeployKey>('opencode_get_deploy_key', { git_url })).public_key).toBe(publicKey)
        const found = (await projects()).find((project) => project.git_url === git_url)
        expect(found).toMatchObject({ status: 'ready', worktrees: [{ branch: 'migrated/blog' }] })
        expect(await stack.shell('opencode', `cat ${found?.worktrees[0]?.path}/mine.txt`)).toBe('mine\n')
        await migrate('--undo', backup)
        expect((await projects()).map((project) => project.git_url)).not.toContain(git_url)
      } finally {
        await tree.remove()
      }
    })

    it('are stopped, restarted and destroyed without access to the engine', async () => {
      const { stack, caller } = given()
      const { servers } = (await caller.get('/servers')) as ServerList
      // The server's container reports its memory without the page cache, which the engine would
      // include.
      const [engine] = await stack.inspect('opencode')
      expect(servers[0]?.memory_bytes).toBeGreaterThan(50 * 1_048_576)
      expect(servers[0]?.memory_bytes).toBeLessThan(engine?.HostConfig.Memory ?? 0)
      const listed = (await projects()).find((project) => project.git_url === url)?.server
      expect(listed?.id).toBe(servers[0]?.id)
      expect(listed?.memory_bytes).toBeGreaterThan(50 * 1_048_576)
      const project = { git_url: url }
      expect(await mcp.call<ProjectInfo>('opencode_project_stop', project)).toMatchObject({ status: 'stopped' })
      const { status, base_dir } = await mcp.call<ProjectInfo>('opencode_project_restart', project)
      expect(status).toBe('ready')
      await stack.shell('opencode', `echo mine > ${base_dir}/mine.txt`)
      await expect(mcp.call('opencode_project_destroy', project)).rejects.toThrow(/work_would_be_lost/)
      const { bundles } = await mcp.call<DestroyedProject>('opencode_project_destroy', { ...project, force: true })
      expect(bundles).toEqual([expect.stringContaining(`${HOME}/bundles/`)])
      expect(await projects()).toEqual([])
      await expect(stack.shell('worker', `test -e ${base_dir}`)).rejects.toThrow()
      expect(await stack.shell('worker', `ls -A ${HOME}/keys`)).toBe('')
    })
  })
}
