import type { Task, TaskEvent } from '@switchyard/contracts'
import { advance } from '@switchyard/records'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { progress, startApi, type TestApi } from '../api.fixture.ts'

const [OPS, ONE, TWO] = ['operator-token-0001', 'agent-token-number-1', 'agent-token-number-2']
const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

let database: TestDatabase
let api: TestApi
let url: string

beforeAll(async () => {
  database = await createDatabase()
  api = await startApi(database.url, { SWITCHYARD_API_KEYS: `ops:operator:${OPS},one:agent:${ONE},two:agent:${TWO}` })
  url = (await api.listen()).url
})
afterAll(async () => {
  await api.close()
  await database.drop()
})

type Page = { readonly events: TaskEvent[]; readonly cursor: string; readonly has_more: boolean }

const accept = async (token: string, input: Record<string, unknown> = {}): Promise<Task> =>
  (await api.call<Task>('POST', '/tasks', { ...as(token), body: { task_description: 'do it', ...input } })).body
const read = async (token: string, query = ''): Promise<Page> =>
  (await api.call<Page>('GET', `/events${query}`, as(token))).body
const messages = (page: Page) => page.events.map((event) => event.message)

/** Collects the events of a stream with their ids. */
const follow = async (token: string, headers: Record<string, string> = {}, query = '') => {
  const gone = new AbortController()
  const response = await fetch(`${url}/events${query}`, {
    headers: { ...as(token).headers, accept: 'text/event-stream', ...headers },
    signal: gone.signal,
  })
  const got: { id: string; message: string }[] = []
  const reading = (async () => {
    let text = ''
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, id = '', data = '{}'] = /^id: (\d+)\nevent: .*\ndata: (.*)$/m.exec(text.slice(0, end)) ?? []
        if (id !== '') got.push({ id, message: (JSON.parse(data) as TaskEvent).message })
        text = text.slice(end + 2)
      }
    }
  })().catch(() => {})
  return {
    got,
    stop: async () => {
      gone.abort()
      await reading
    },
  }
}

describe('GET /events', () => {
  it('pages through the events that the key may see, in order for each task', async () => {
    const [mine, other] = [await accept(ONE), await accept(TWO)]
    const { cursor } = await read(OPS, '?limit=1000')
    for (const number of [1, 2]) {
      await api.write(mine.task_id, { events: [progress(`mine ${number}`), progress(`mine ${number}b`)] })
      await api.write(other.task_id, { events: [progress(`other ${number}`)] })
    }
    expect(messages(await read(ONE, `?after=${cursor}`))).toEqual(['mine 1', 'mine 1b', 'mine 2', 'mine 2b'])
    expect(messages(await read(TWO, `?after=${cursor}`))).toEqual(['other 1', 'other 2'])
    const first = await read(OPS, `?after=${cursor}&limit=2`)
    expect(first.has_more).toBe(true)
    const rest = await read(OPS, `?after=${first.cursor}`)
    expect([...messages(first), ...messages(rest)]).toEqual([
      'mine 1',
      'mine 1b',
      'other 1',
      'mine 2',
      'mine 2b',
      'other 2',
    ])
    expect(await read(OPS, `?after=${rest.cursor}`)).toEqual({ events: [], cursor: rest.cursor, has_more: false })
  })

  it('filters by type and agent', async () => {
    const { cursor } = await read(OPS, '?limit=1000')
    const [a, b] = [await accept(ONE, { agent_id: 'a' }), await accept(ONE, { agent_id: 'b' })]
    for (const { task_id } of [a, b]) await api.write(task_id, { events: [progress('x')] })
    const page = await read(ONE, `?after=${cursor}&agent_id=b&type=task_progress,task_failed`)
    expect(page.events).toMatchObject([{ task_id: b.task_id, type: 'task_progress' }])
  })

  it('does not read past an event that is still being written', async () => {
    const [slow, quick] = [await accept(ONE), await accept(ONE)]
    const { cursor } = await read(ONE, '?limit=1000')
    const reader = await follow(ONE, { 'last-event-id': cursor })
    const transaction = await api.records.db.startTransaction().execute()
    await advance(transaction, { taskId: slow.task_id, generation: null, events: [progress('began first')] })
    await api.write(quick.task_id, { events: [progress('was done first')] })
    // The page waits for the transaction for a limited time, then stops before its events.
    expect(messages(await read(ONE, `?after=${cursor}`))).toEqual([])
    expect(reader.got).toEqual([])
    await transaction.commit().execute()
    await expect.poll(() => reader.got.map(({ message }) => message)).toEqual(['began first', 'was done first'])
    expect(messages(await read(ONE, `?after=${cursor}`))).toEqual(['began first', 'was done first'])
    await reader.stop()
  })

  it('does not read past the newest event while it is being written and no transaction has ended after it', async () => {
    const { task_id } = await accept(ONE)
    const { cursor } = await read(ONE, '?limit=1000')
    const transaction = await api.records.db.startTransaction().execute()
    await advance(transaction, { taskId: task_id, generation: null, events: [progress('late')] })
    const meanwhile = await read(ONE, `?after=${cursor}`)
    expect(meanwhile).toMatchObject({ events: [], cursor })
    await transaction.commit().execute()
    expect(messages(await read(ONE, `?after=${meanwhile.cursor}`))).toEqual(['late'])
  })

  it('leaves out events whose transaction was rolled back', async () => {
    const { task_id } = await accept(ONE)
    const { cursor } = await read(ONE, '?limit=1000')
    const transaction = await api.records.db.startTransaction().execute()
    await advance(transaction, { taskId: task_id, generation: null, events: [progress('never')] })
    await transaction.rollback().execute()
    await api.write(task_id, { events: [progress('this')] })
    expect(messages(await read(ONE, `?after=${cursor}`))).toEqual(['this'])
  })

  it('streams new events, and resumes after the last id without a gap', async () => {
    const { task_id } = await accept(ONE)
    const first = await follow(ONE)
    await api.write(task_id, { events: [progress('1')] })
    await expect.poll(() => first.got.map(({ message }) => message)).toEqual(['1'])
    await first.stop()
    for (const message of ['2', '3']) await api.write(task_id, { events: [progress(message)] })
    const second = await follow(ONE, { 'last-event-id': first.got[0]?.id ?? '' })
    await api.write(task_id, { events: [progress('4')] })
    await expect.poll(() => second.got.map(({ message }) => message)).toEqual(['2', '3', '4'])
    await second.stop()
  })

  it('loses and repeats no event while many tasks write', async () => {
    const tasks = await Promise.all(Array.from({ length: 8 }, () => accept(TWO)))
    const { cursor } = await read(TWO, '?limit=1000')
    const readers = await Promise.all([1, 2, 3].map(() => follow(TWO, { 'last-event-id': cursor })))
    await Promise.all(
      tasks.map(async ({ task_id }, task) => {
        for (let n = 0; n < 40; n += 1)
          await api.write(task_id, { events: [progress(`${task} ${n}`), progress(`${task} ${n}b`)] })
      }),
    )
    for (const { got, stop } of readers) {
      await expect.poll(() => got.length, { timeout: 20_000 }).toBe(640)
      expect(new Set(got.map(({ message }) => message)).size).toBe(640)
      await stop()
    }
  })

  it.each([['?after=999999999'], ['?after=-1'], ['?type=task_lost'], ['?colour=red']])('rejects %s', async (query) => {
    expect(await api.call('GET', `/events${query}`, as(OPS))).toMatchObject({ status: 400 })
  })
})
