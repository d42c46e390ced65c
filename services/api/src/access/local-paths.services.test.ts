import type { Problem, Task } from '@switchyard/contracts'
import { registerProject, updateProject } from '@switchyard/records'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi, type TestApi } from '../api.fixture.ts'

const OPS = 'ops-operator-0123456789'
const ONE = 'one-agent-0123456789'
const TWO = 'two-agent-0123456789'
const REPOSITORY = '/srv/git/private'

let database: TestDatabase
let test: TestApi

beforeAll(async () => {
  database = await createDatabase()
  test = await startApi(database.url, { SWITCHYARD_API_KEYS: `ops:operator:${OPS},one:agent:${ONE},two:agent:${TWO}` })
})

afterAll(async () => {
  await test.close()
  await database.drop()
})

const call = <T extends object>(key: string, route: string, body: object) =>
  test.call<T & Pick<Problem, 'code' | 'detail' | 'hint'>>('POST', route, {
    body,
    headers: { authorization: `Bearer ${key}` },
  })
const submit = (key: string, project: string) => call<Task>(key, '/tasks', { task_description: 'x', project })

describe("naming a repository by its path on the worker's host", () => {
  const refused = { status: 403, body: { code: 'forbidden', hint: expect.stringContaining('https or ssh URL') } }

  it.each([REPOSITORY, `${REPOSITORY}/`, `file://${REPOSITORY}`, `file://localhost${REPOSITORY}`])(
    'is allowed for operators and refused for agents: %s',
    async (project) => {
      expect(await submit(ONE, project)).toMatchObject(refused)
      expect(await call(ONE, '/project/init', { gitURL: project })).toMatchObject(refused)
      const { status, body } = await submit(OPS, project)
      expect(status).toBe(202)
      // The id follows from the path, so agents can compute it.
      expect(await submit(ONE, body.project_id ?? '')).toMatchObject(refused)
    },
  )

  it('is allowed for agents that a registered project is shared with', async () => {
    const { body } = await submit(OPS, REPOSITORY)
    const id = body.project_id ?? ''
    await registerProject(test.records.db, {
      id,
      key: REPOSITORY,
      url: REPOSITORY,
      owner_key: 'ops',
      name: 'private',
      base_dir: '/srv/checkouts/private',
      is_managed: false,
      pool: 'blue',
    })
    await updateProject(test.records.db, id, { permissions: { agents: ['one'] } })
    for (const project of [REPOSITORY, `file://${REPOSITORY}`, id]) {
      expect(await submit(ONE, project)).toMatchObject({ status: 202, body: { project_id: id } })
      expect(await submit(TWO, project)).toMatchObject({ status: 403 })
    }
    expect(await call(TWO, '/project/init', { gitURL: REPOSITORY })).toMatchObject(refused)
  })

  it('does not restrict the URLs of remote hosts', async () => {
    for (const project of ['https://github.com/o/r', 'git@github.com:o/r.git', 'git.example.org/o/r'])
      expect(await submit(ONE, project)).toMatchObject({ status: 202 })
  })
})
