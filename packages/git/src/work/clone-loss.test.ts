import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { commit, createLock, sh } from '../git.fixture.ts'
import { describeLoss, parseRepositoryUrl, Repositories } from '../index.ts'

let root: string
const at = (...names: string[]) => path.join(root, ...names)
const lock = createLock()

const project = async () => {
  await mkdir(at('origin'))
  await sh(at('origin'), 'init', '-q', '-b', 'main')
  await commit(at('origin'), 'a.txt')
  await sh(at('origin'), 'tag', 'v1')
  const identity = parseRepositoryUrl(at('origin'))
  const repositories = new Repositories({ mirrorsDir: at('mirrors'), sharedDir: at('repos'), lock })
  await repositories.fetch(identity)
  const add = async (name: string) =>
    (await repositories.addWorktree(identity, { directory: at('boxes', name), branch: `sandbox/${name}` })).directory
  return {
    identity,
    repositories,
    add,
    loss: (...goes: string[]) => repositories.work.describeCloneLoss(identity, goes),
    remove: (directory: string) => repositories.removeWorktree(identity, directory, at('boxes')),
    shared: repositories.sharedDirectory(identity),
  }
}

beforeEach(async () => {
  root = await realpath(await mkdtemp(path.join(tmpdir(), 'switchyard-clone-loss-')))
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('what would be lost with the shared clone', () => {
  it('is nothing that the remote has', async () => {
    const { add, loss } = await project()
    expect(await loss(await add('q'))).toBeNull()
  })

  it('is every stash and every branch that an agent left there, though no worktree shows them', async () => {
    const { identity, repositories, add, loss, remove, shared } = await project()
    const directory = await add('q')
    for (const text of ['first\n', 'second\n']) {
      await writeFile(path.join(directory, 'a.txt'), text)
      await sh(directory, 'stash', '-q')
    }
    await sh(directory, 'checkout', '-qb', 'feature')
    await commit(directory, 'feature.txt')
    await sh(directory, 'checkout', '-q', 'sandbox/q')
    expect(describeLoss(await repositories.work.state(identity, directory))).toBeNull()
    expect(await loss(directory)).toBe('1 unpushed commit on feature, 2 stashes')
    await remove(directory)
    await sh(shared, 'pack-refs', '--all')
    expect(await loss()).toBe('1 unpushed commit on feature, 2 stashes')
    for (const isThin of [false, true]) {
      await repositories.work.bundleClone(identity, at('clone.bundle'), { isThin })
      await sh(root, 'clone', '-q', '--bare', at('origin'), at('restored'))
      await sh(at('restored'), 'fetch', '-q', at('clone.bundle'), '+refs/*:refs/saved/*')
      const show = (name: string) => sh(at('restored'), 'show', name)
      expect(await show('refs/saved/heads/feature:feature.txt')).toBe('feature.txt')
      expect(await show('refs/saved/switchyard/stash/0:a.txt')).toBe('second')
      expect(await show('refs/saved/switchyard/stash/1:a.txt')).toBe('first')
      await rm(at('restored'), { recursive: true })
    }
    await sh(shared, 'push', '-q', at('origin'), 'feature')
    await sh(shared, 'stash', 'clear')
    await repositories.fetch(identity)
    expect(await loss()).toBeNull()
  })

  it('is a tag that leads to what no branch has', async () => {
    const { add, loss } = await project()
    const directory = await add('q')
    await sh(directory, 'checkout', '-q', '--detach')
    await commit(directory, 'tagged.txt')
    await sh(directory, 'tag', '-am', 'mine', 'mine')
    await sh(directory, 'checkout', '-q', 'sandbox/q')
    expect(await loss(directory)).toBe('1 unpushed commit on mine')
  })

  it('is what is on the branch of a worktree only where no bundle was written of that, and it goes', async () => {
    const { add, loss, remove } = await project()
    const [one, two] = [await add('one'), await add('two')]
    await commit(one, 'one.txt')
    await commit(two, 'two.txt')
    expect(await loss()).toBeNull()
    expect(await loss(one)).toBe('1 unpushed commit on sandbox/one')
    await rm(two, { recursive: true })
    expect(await loss(two)).toBe('1 unpushed commit on sandbox/two')
    for (const directory of [one, two]) await remove(directory)
    expect(await loss()).toBe('2 unpushed commits on sandbox/one, sandbox/two')
  })

  it('is nothing where there is no clone', async () => {
    const { identity, repositories, loss } = await project()
    expect(await repositories.removeClones(identity, async () => false)).toBe(false)
    expect(existsSync(repositories.sharedDirectory(identity))).toBe(true)
    expect(await repositories.removeClones(identity)).toBe(true)
    expect(await loss()).toBeNull()
  })
})
