// Discovery at start: projects on disk are registered, candidates are listed, models are chosen per
// project.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type {
  LlmConfig,
  ProjectCandidate,
  ProjectInfo,
  ProjectStatusInfo,
  SetModel,
  StartedProject,
} from '@switchyard/contracts'
import { parseRepositoryUrl, projectIdOf, projectName, Repositories } from '@switchyard/git'
import { type GitDaemon, script, startGitDaemon } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import { git, makeRepository } from './repository.ts'
import { type System, startSystem } from './system.ts'

vi.setConfig({ testTimeout: 120_000 })

/**
 * Configuration that only this repository has: a model, an agent, and a key that no response may
 * contain.
 */
const OWN_CONFIGURATION = JSON.stringify({
  provider: {
    scripted: {
      options: { headers: { authorization: 'Bearer sk-secret-of-the-repository' } },
      models: { large: { name: 'Mine', reasoning: true, variants: { deep: {} } } },
    },
  },
  agent: { reviewer: { description: 'Reads and says what is wrong.', mode: 'primary' } },
})

type Listed = { readonly projects: readonly ProjectInfo[]; readonly candidates: readonly ProjectCandidate[] }

describe('discovery', () => {
  let system: System
  let mcp: McpCaller
  let agent: McpCaller
  let daemon: GitDaemon
  let repositories: string
  let workspaces: string
  let home: string
  let kept: string

  /**
   * Leaves what a worker creates for a project and a sandbox, with work in both, and removes the
   * remote.
   */
  const leaveProject = async (): Promise<void> => {
    const url = `file://${await makeRepository(path.join(repositories, 'kept'), { 'a.txt': 'a\n' })}`
    const identity = parseRepositoryUrl(url)
    kept = projectIdOf(identity.key)
    const made = new Repositories({
      mirrorsDir: path.join(home, 'mirrors'),
      sharedDir: path.join(workspaces, 'repos'),
      objectStoresDir: path.join(workspaces, 'objects'),
      lock: (_name, work) => work(),
    })
    await made.fetch(identity)
    const base = path.join(workspaces, projectName(identity))
    await made.addWorktree(identity, { directory: base, branch: 'main', reuse: true })
    const box = path.join(workspaces, 'sandboxes', identity.slug, 'box')
    await mkdir(path.dirname(box), { recursive: true })
    await made.addWorktree(identity, { directory: box, branch: 'feature/box' })
    for (const directory of [base, box]) await writeFile(path.join(directory, 'mine.txt'), 'mine\n')
    // A task's worktree is not a project, and a remote that an agent sets does not create one.
    await made.addWorktree(identity, { directory: path.join(workspaces, 'tasks', 'one'), branch: 'task/one' })
    await git(
      path.join(workspaces, 'repos', identity.slug),
      'remote',
      'set-url',
      'origin',
      'https://example.invalid/not/this',
    )
    await rm(path.join(repositories, 'kept'), { recursive: true })
  }

  beforeAll(async () => {
    repositories = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
    daemon = await startGitDaemon(repositories)
    workspaces = path.join(repositories, 'workspaces')
    home = path.join(repositories, 'home')
    // A clone in the managed directory of an installation whose database is lost, with a password
    // in its remote.
    await mkdir(workspaces)
    await makeRepository(path.join(workspaces, 'example-left'), { 'a.txt': 'a\n' })
    await git(
      path.join(workspaces, 'example-left'),
      'remote',
      'add',
      'origin',
      'https://me:pass@example.invalid/example/left',
    )
    await leaveProject()
    system = await startSystem('postgres', {
      // The operator trusts every repository here.
      OPENCODE_DISABLE_PROJECT_CONFIG: 'false',
      SWITCHYARD_HOME: home,
      WORKSPACES_DIR: workspaces,
      SWITCHYARD_API_KEYS: 'ops:operator:ops-operator-0123456789,one:agent:one-agent-0123456789',
    })
    mcp = await connectMcp(system.url, { key: 'ops-operator-0123456789' })
    agent = await connectMcp(system.url, { key: 'one-agent-0123456789' })
  })

  afterAll(async () => {
    for (const client of [mcp, agent]) await client?.close()
    await system?.close()
    await daemon?.close()
    await rm(repositories, { recursive: true, force: true })
  })

  const start = async (name: string, files: Readonly<Record<string, string>>, caller = mcp) => {
    const place = await makeRepository(path.join(repositories, name), files)
    // Only operators may pass a path.
    const url = caller === mcp ? `file://${place}` : daemon.url(name)
    return await caller.call<StartedProject>('opencode_project_start', { git_url: url })
  }
  const list = (caller = mcp) => caller.call<Listed>('opencode_project_list')

  it('registers projects that were created here, with their sandboxes and work, for operators only', async () => {
    const find = async (caller = mcp) => (await list(caller)).projects.find((project) => project.project_id === kept)
    await expect.poll(async () => (await find())?.agents ?? [], { timeout: 60_000 }).toContain('build')
    const info = await mcp.call<ProjectStatusInfo>('opencode_project_status', { git_url: kept })
    expect(info).toMatchObject({
      status: 'ready',
      branch: 'main',
      default_branch: 'main',
      worktrees: [{ name: 'box', branch: 'feature/box', state: { dirty: 1, ahead: 0, unpushed: 0 } }],
    })
    expect(await readFile(path.join(info.base_dir ?? '', 'mine.txt'), 'utf8')).toBe('mine\n')
    // The remote no longer exists, so nothing was cloned.
    expect(await mcp.call('opencode_project_start', { git_url: info.git_url })).toMatchObject({
      status: 'already_running',
      base_dir: info.base_dir,
    })
    expect(await find(agent)).toBeUndefined()
    await expect(agent.call('opencode_project_start', { git_url: info.git_url })).rejects.toThrow(/forbidden/)
    expect((await list()).projects.filter(({ git_url }) => git_url.includes('not/this'))).toEqual([])
  })

  it('lists candidates to operators without credentials, and leaves them unchanged', async () => {
    const found = { directory: path.join(workspaces, 'example-left'), managed: true, source: 'managed' }
    await expect
      .poll(async () => (await list()).candidates, { timeout: 60_000 })
      .toEqual([{ ...found, git_url: 'https://example.invalid/example/left' }])
    expect((await list(agent)).candidates).toEqual([])
  })

  it('reports the branch, agents and models of a project that was never used, without keys', async () => {
    const plain = await start('plain', { 'a.txt': 'a\n' })
    const own = await start('own', { 'opencode.json': OWN_CONFIGURATION })
    const info = await mcp.call<ProjectInfo>('opencode_project_status', { git_url: plain.project_id })
    expect(info).toMatchObject({ branch: 'main', agents: expect.arrayContaining(['build', 'plan']), busy_sessions: 0 })
    expect(info.agents).not.toContain('reviewer')
    const owned = await mcp.call<ProjectInfo>('opencode_project_status', { git_url: own.project_id })
    expect(owned.agents).toContain('reviewer')
    const config = await mcp.call<LlmConfig>('opencode_llm_config')
    expect(JSON.stringify(config)).not.toMatch(/sk-secret|apiKey|baseURL|authorization/i)
    expect(config).toMatchObject({ default_model: 'scripted/model', servers: [{ default_model: 'scripted/model' }] })
    const of = (id: string) => config.projects.find((project) => project.project_id === id)
    expect(of(plain.project_id)).toMatchObject({ model: null, providers: null })
    const models = of(own.project_id)?.providers?.find(({ id }) => id === 'scripted')?.models
    expect(models).toContainEqual({ id: 'large', name: 'Mine', variants: expect.arrayContaining(['deep']) })
    expect((await agent.call<LlmConfig>('opencode_llm_config')).projects).toEqual([])
  })

  it('sets the model of a project to one of the available models', async () => {
    const project = await start('model', { 'a.txt': 'a\n' }, agent)
    const set = (model: string, caller = agent) =>
      caller.call<SetModel>('opencode_llm_set_model', { git_url: project.project_id, model })
    await expect(set('scripted/none')).rejects.toThrow(/model_not_found.*scripted\/other/)
    await expect(set('nonsense')).rejects.toThrow(/invalid_model/)
    expect(await set('scripted/other')).toMatchObject({ model: 'scripted/other', previous: null })
    const { task_id } = await agent.call<{ task_id: string }>('execute_task', {
      task_description: script([{ say: 'done' }]),
      project: project.project_id,
      wait_ms: 50_000,
    })
    expect(await agent.call('get_task_status', { task_id })).toMatchObject({ model: 'scripted/other' })
    expect(await set('default', mcp)).toMatchObject({ model: null, previous: 'scripted/other' })
  })

  it('counts busy sessions as they start and end', async () => {
    const project = await start('live', { 'a.txt': 'a\n' })
    const { task_id } = await mcp.call<{ task_id: string }>('execute_task', {
      task_description: script([{ tool: 'bash', args: { command: 'sleep 15', description: 'Wait' } }, { say: 'done' }]),
      project: project.project_id,
    })
    const status = () => mcp.call<ProjectInfo>('opencode_project_status', { git_url: project.project_id })
    await expect.poll(async () => (await status()).busy_sessions, { timeout: 60_000 }).toBe(1)
    await mcp.call('send_task_control', { task_id, control: 'cancel' })
    await expect.poll(async () => (await status()).busy_sessions, { timeout: 60_000 }).toBe(0)
    expect((await status()).sessions).toBe(0)
  })
})
