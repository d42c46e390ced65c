import { describe, expect, it } from 'vitest'
import { containerDirectories, Layout, promptFile } from './layout.ts'

const layout = new Layout({ home: '/home/sy', workspacesDir: '/workspaces' })
const identity = { slug: 'acme-app-1a2b3c' }

describe('Layout', () => {
  it('puts what agents write to below WORKSPACES_DIR', () => {
    expect(layout.sharedClones).toBe('/workspaces/repos')
    expect(layout.objectStores).toBe('/workspaces/objects')
    expect(layout.task({ id: 'task_1', mode: 'opencode' })).toBe('/workspaces/tasks/task_1')
    expect(layout.task({ id: 'task_1', mode: 'docker' })).toBe('/workspaces/docker/task_1/work')
    expect(layout.sandboxes(identity)).toBe('/workspaces/sandboxes/acme-app-1a2b3c')
  })

  it('puts what only the worker reads below its home', () => {
    expect([layout.mirrors, layout.keys, layout.knownHosts, layout.servers, layout.opencode]).toEqual(
      ['mirrors', 'keys', 'known_hosts', 'servers', 'opencode'].map((name) => `/home/sy/${name}`),
    )
    expect(layout.output('task_1')).toBe('/home/sy/output/task_1')
    expect(layout.bundle('task_1.bundle')).toBe('/home/sy/bundles/task_1.bundle')
  })

  it('mounts the container of a task on directories of that task only', () => {
    const directories = containerDirectories('/workspaces', 'task_1')
    expect(directories).toEqual(layout.container('task_1'))
    expect(promptFile(directories, 'msg_1')).toBe('/workspaces/docker/task_1/prompts/msg_1.txt')
  })

  it('gives a project the directory of its name, or of its slug where another project has that', () => {
    expect(layout.baseDirectories('acme-app', identity)).toEqual([
      '/workspaces/acme-app',
      '/workspaces/acme-app-1a2b3c',
    ])
  })

  it.each(['repos', 'objects', 'tasks', 'sandboxes', 'docker', 'servers'])(
    'gives no project the directory %s',
    (name) => {
      expect(layout.baseDirectories(name, identity)).toEqual(['/workspaces/acme-app-1a2b3c'])
      expect(layout.isReserved(`/workspaces/${name}/x`)).toBe(true)
    },
  )

  it.each([
    ['/workspaces/tasks/task_1', true],
    ['/workspaces/..x', true],
    ['/workspaces/../etc', false],
    ['/workspaces', false],
    ['/workspaces2/x', false],
    ['/etc', false],
  ])('reports whether %s is below WORKSPACES_DIR: %s', (directory, isBelow) => {
    expect(layout.contains(directory)).toBe(isBelow)
  })
})
