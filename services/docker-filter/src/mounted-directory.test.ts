import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { directoryId, hostPath, openDirectory } from './mounted-directory.ts'
import { NotAllowed } from './not-allowed.ts'

describe('openDirectory', () => {
  let workspaces: string
  let task: string

  beforeEach(async () => {
    workspaces = await mkdtemp(path.join(tmpdir(), 'switchyard-test-mounted-'))
    task = path.join(workspaces, 'docker', 'task_1')
    await mkdir(task, { recursive: true })
  })
  afterEach(() => rm(workspaces, { recursive: true }))

  const idOf = async (directory: string): Promise<string> => {
    await using opened = await openDirectory(workspaces, directory)
    return await directoryId(opened)
  }

  it('opens a directory below the working directories, and that directory itself', async () => {
    expect(await idOf(task)).toMatch(/^\d+:\d+$/)
    expect(await idOf(workspaces)).not.toBe(await idOf(task))
  })

  it('keeps the id of a directory that is moved, and gives its replacement another one', async () => {
    await using opened = await openDirectory(workspaces, task)
    await rename(task, `${task}-moved`)
    await mkdir(task)
    expect(await directoryId(opened)).toBe(await idOf(`${task}-moved`))
    expect(await directoryId(opened)).not.toBe(await idOf(task))
  })

  it('refuses a directory that does not exist, and a file', async () => {
    await writeFile(path.join(workspaces, 'file'), '')
    for (const name of ['missing', 'file']) {
      const opening = openDirectory(workspaces, path.join(workspaces, name))
      await expect(opening).rejects.toThrow(NotAllowed)
      await expect(opening).rejects.toThrow(`${name} is not a readable directory`)
    }
  })

  it('refuses a link, at the end of the path and in the middle', async () => {
    await symlink('/etc', path.join(workspaces, 'docker', 'link'))
    await expect(openDirectory(workspaces, path.join(workspaces, 'docker', 'link'))).rejects.toThrow(NotAllowed)
    await rename(path.join(workspaces, 'docker'), path.join(workspaces, 'elsewhere'))
    await symlink(path.join(workspaces, 'elsewhere'), path.join(workspaces, 'docker'))
    await expect(openDirectory(workspaces, task)).rejects.toThrow(NotAllowed)
  })
})

describe('hostPath', () => {
  it('translates a path in the container to the path on the host', () => {
    expect(hostPath('/workspaces', '/var/lib/docker/volumes/w/_data', '/workspaces/docker/task_1')).toBe(
      '/var/lib/docker/volumes/w/_data/docker/task_1',
    )
    expect(hostPath('/workspaces', '/srv/w', '/workspaces')).toBe('/srv/w')
  })
})
