import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { commit, createRepositories, sh, useTestDirectory } from '../git.fixture.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'
import { describeLoss } from './work-state.ts'

const at = useTestDirectory()
const project = async () => {
  await mkdir(at('origin'))
  await sh(at('origin'), 'init', '-q', '-b', 'main')
  await commit(at('origin'), 'a.txt')
  await sh(at('origin'), 'tag', 'v1')
  const identity = parseRepositoryUrl(at('origin'))
  const repositories = createRepositories(at)
  await repositories.fetch(identity)
  const add = async (name: string) =>
    (await repositories.addWorktree(identity, { directory: at('boxes', name), branch: `sandbox/${name}` })).directory
  return {
    identity,
    repositories,
    add,
    loss: (...removed: string[]) => repositories.work.describeCloneLoss(identity, removed),
    remove: (directory: string) => repositories.removeWorktree(identity, directory, at('boxes')),
    shared: repositories.sharedDirectory(identity),
  }
}

describe('describeCloneLoss', () => {
  it('returns null when the remote has everything', async () => {
    const { add, loss } = await project()
    expect(await loss(await add('q'))).toBeNull()
  })

  it('counts stashes and branches that an agent created, and bundleClone saves them', async () => {
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
      await sh(at(), 'clone', '-q', '--bare', at('origin'), at('restored'))
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

  it('counts commits that only a tag reaches', async () => {
    const { add, loss } = await project()
    const directory = await add('q')
    await sh(directory, 'checkout', '-q', '--detach')
    await commit(directory, 'tagged.txt')
    await sh(directory, 'tag', '-am', 'mine', 'mine')
    await sh(directory, 'checkout', '-q', 'sandbox/q')
    expect(await loss(directory)).toBe('1 unpushed commit on mine')
  })

  it('counts the branch of a worktree only when the worktree is removed without a bundle', async () => {
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

  it('returns null when there is no clone', async () => {
    const { identity, repositories, loss } = await project()
    expect(await repositories.removeClones(identity, async () => false)).toBe(false)
    expect(existsSync(at('mirrors', `${identity.slug}.git`))).toBe(true)
    expect(await repositories.removeClones(identity)).toBe(true)
    expect(await loss()).toBeNull()
  })
})
