import path from 'node:path'
import type { ProjectObject } from '@switchyard/contracts'
import { opencodeConfig } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeRepository } from './repository.ts'
import { restCaller } from './rest-caller.ts'
import { OPERATOR, type SessionSystem, startSessionSystem } from './session-system.ts'
import { startSystem } from './system.ts'

let system: SessionSystem

beforeAll(async () => {
  system = await startSessionSystem()
})

afterAll(() => system?.close())

describe('a project over the HTTP API', () => {
  it('is registered, updated and returned in the published form', async () => {
    const project = await system.start()
    expect(
      await system.ops.ok('PATCH', project.path, {
        name: 'Sums',
        model: 'scripted/other',
        metadata: { description: 'Adds', tags: ['x', 'y'], settings: { theme: 'dark' } },
      }),
    ).toMatchObject({ name: 'Sums', model: 'scripted/other' })
    const list = await system.ops.ok<{ projects: ProjectObject[]; total: number; active: number }>('GET', '/project')
    expect(list.total).toBe(list.projects.length)
    expect(list.projects.find(({ id }) => id === project.id)).toMatchObject({
      name: 'Sums',
      worktree: project.baseDir,
      vcs: 'git',
      branch: 'main',
      status: 'ready',
      sessionCount: 0,
      taskCount: 0,
      metadata: { description: 'Adds', tags: ['x', 'y'], settings: { theme: 'dark' } },
      children: [],
      permissions: { canEdit: true, canDelete: true, agents: [] },
    })
    expect(await system.create(project)).toMatchObject({ model: { providerID: 'scripted', modelID: 'other' } })
    expect(await system.ops.ok('GET', `${project.path}/agent`)).toMatchObject({
      default: 'build',
      agents: expect.arrayContaining([expect.objectContaining({ id: 'plan', mode: 'primary' })]),
    })
    expect(await system.ops.request('PATCH', project.path, { nmae: 'x' })).toMatchObject({ status: 400 })
    expect(await system.ops.request('PATCH', project.path, { model: 'x' })).toMatchObject({
      body: { code: 'invalid_model' },
    })
    for (const wrong of [{ agent: 'nobody' }, { model: 'scripted/none' }])
      expect(await system.ops.request('POST', `${project.path}/session`, wrong)).toMatchObject({ status: 422 })
    expect(await system.ops.request('POST', `${project.path}/session`, { worktree: 'none' })).toMatchObject({
      status: 404,
      body: { code: 'sandbox_not_found' },
    })
  })

  it('refuses sessions until it is ready', async () => {
    const url = `file://${system.repositories}/nowhere`
    expect(await system.ops.request('POST', '/project/init', { gitURL: url })).toMatchObject({
      status: expect.any(Number),
    })
    const { projects } = await system.ops.ok<{ projects: ProjectObject[] }>('GET', '/project')
    const failed = projects.find(({ gitURL }) => gitURL.includes('nowhere'))
    expect(failed).toMatchObject({ status: 'failed' })
    expect(await system.ops.request('POST', `/project/${failed?.id}/session`)).toMatchObject({
      status: 409,
      body: { code: 'project_not_ready' },
    })
  })
})

describe('the configuration of a directory', () => {
  it('is returned without secrets', async () => {
    const config = {
      ...opencodeConfig('http://127.0.0.1:1'),
      mcp: {
        tracker: {
          type: 'local',
          command: ['tracker', '--api-key', 'mcp-secret-1', '--token=mcp-secret-2'],
          environment: { TRACKER: 'mcp-secret-3' },
          enabled: false,
        },
        remote: {
          type: 'remote',
          url: 'https://user:mcp-secret-4@example.invalid/mcp?token=mcp-secret-5',
          headers: { 'X-Any': 'mcp-secret-6' },
          enabled: false,
        },
      },
    }
    const provider = config.provider?.scripted
    const options = {
      ...provider?.options,
      apiKey: 'sk-provider-secret-0123456789',
      headers: { Authorization: 'Bearer abc-secret' },
    }
    const own = await startSystem('postgres', {
      SWITCHYARD_API_KEYS: `ops:operator:${OPERATOR}`,
      OPENCODE_CONFIG_CONTENT: JSON.stringify({ ...config, provider: { scripted: { ...provider, options } } }),
    })
    try {
      const rest = restCaller(own.url, OPERATOR)
      const url = `file://${await makeRepository(path.join(system.repositories, 'config'), { 'a.txt': 'a\n' })}`
      const project = await rest.ok<ProjectObject>('POST', '/project/init', { gitURL: url })
      const query = `?directory=${encodeURIComponent(project.worktree ?? '')}`
      const told = await rest.ok<object>('GET', `/config${query}`)
      expect(told).toMatchObject({
        project: { id: project.id },
        settings: { defaultProvider: 'scripted', defaultModel: 'scripted/model' },
        mcp: { servers: ['remote', 'tracker'], enabled: false },
        config: {
          model: 'scripted/model',
          provider: {
            scripted: {
              options: {
                apiKey: '***',
                baseURL: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/providers\/scripted$/),
              },
              models: { model: { name: 'Scripted' } },
            },
          },
          mcp: { tracker: { command: ['tracker', '***'] } },
        },
      })
      const providers = await rest.ok<object>('GET', `/provider${query}`)
      expect(providers).toMatchObject({
        default: 'scripted',
        providers: [{ id: 'scripted', models: [{ id: 'model', pricing: { input: 1 } }, {}] }],
      })
      expect(JSON.stringify([told, providers])).not.toMatch(/secret/)
    } finally {
      await own.close()
    }
  })
})
