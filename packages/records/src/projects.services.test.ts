// One row a repository, however many call at once.

import { createDatabase } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimBaseDirectory, forgetProject, registerProject } from './projects.ts'
import { Records } from './records.ts'

describe('registering a project', () => {
  const CALLERS = 12
  let records: Records[] = []
  let drop: () => Promise<void>

  beforeAll(async () => {
    const database = await createDatabase()
    drop = database.drop
    records = [1, 2, 3].map(
      () => new Records({ connectionString: database.url, applicationName: 'test', max: CALLERS / 3 }),
    )
    await records[0]?.migrate()
  })

  afterAll(async () => {
    await Promise.all(records.map((each) => each.close()))
    await drop?.()
  })

  const register = async (number: number) =>
    await Promise.all(
      Array.from({ length: CALLERS }, (_, caller) => {
        const { db } = records[caller % records.length] as Records
        return registerProject(db, {
          id: `proj_${number}`,
          key: `example.invalid/o/r${number}`,
          url: `https://example.invalid/o/r${number}`,
          owner_key: `caller-${caller}`,
          name: 'r',
          base_dir: `/workspaces/o-r${number}`,
          is_managed: true,
          pool: 'blue',
        })
      }),
    )

  it('is done by one of those who call at once, and found by the others', async () => {
    for (let number = 0; number < 40; number += 1) {
      const answers = await register(number)
      expect(answers.filter(({ created }) => created)).toHaveLength(1)
      expect(new Set(answers.map(({ row }) => row.owner_key)).size).toBe(1)
    }
  })

  it('is done again once it is forgotten', async () => {
    const [{ db } = { db: undefined }] = records
    if (!db) throw new Error('none')
    await forgetProject(db, 'proj_0')
    expect((await register(0)).filter(({ created }) => created)).toHaveLength(1)
  })

  it('gives each managed project the first directory that no other project has, once', async () => {
    const [{ db } = { db: undefined }] = records
    if (!db) throw new Error('none')
    const create = async (id: string) => {
      const key = `example.invalid/b/${id}`
      const project = {
        id,
        key,
        url: `https://${key}`,
        owner_key: null,
        name: id,
        is_managed: true,
        pool: 'blue',
      } as const
      await registerProject(db, { ...project, base_dir: null })
    }
    const choices = (id: string) => ['/workspaces/b-r', `/workspaces/b-r-${id}`]
    for (const id of ['one', 'two']) await create(id)
    expect(await claimBaseDirectory(db, 'one', choices('one'))).toMatchObject({ base_dir: '/workspaces/b-r' })
    expect(await claimBaseDirectory(db, 'two', choices('two'))).toMatchObject({ base_dir: '/workspaces/b-r-two' })
    expect(await claimBaseDirectory(db, 'one', ['/workspaces/other'])).toMatchObject({ base_dir: '/workspaces/b-r' })
    await create('three')
    expect(await claimBaseDirectory(db, 'three', choices('two'))).toBeUndefined()
  })
})
