import { once } from 'node:events'
import { connect } from 'node:net'
import type { TaskEvent, TaskId } from '@switchyard/contracts'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { progress, startApi, type TestApi } from '../api.fixture.ts'

let database: TestDatabase
let test: TestApi
let url: string

beforeAll(async () => {
  database = await createDatabase()
  test = await startApi(database.url)
  url = (await test.listen()).url
})

afterAll(async () => {
  await test.close()
  await database.drop()
})

type Sent = { readonly id: string | undefined; readonly event: string | undefined; readonly data: string }

const parse = (block: string): Sent => {
  const field = (name: string) =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2)
  return { id: field('id'), event: field('event'), data: field('data') ?? '' }
}

/** A reader that collects events until the stream closes, or until `stop`. */
const follow = async (id: TaskId, headers: Record<string, string> = {}, query = '') => {
  const gone = new AbortController()
  const response = await fetch(`${url}/tasks/${id}/events${query}`, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: gone.signal,
  })
  const sent: Sent[] = []
  const read = async () => {
    let rest = ''
    if (!response.body) return
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) if (block.includes('data: ')) sent.push(parse(block))
    }
  }
  const ended = read()
  ended.catch(() => {})
  const seqs = () => sent.filter((one) => one.id !== undefined).map((one) => Number(one.id))
  return { response, sent, seqs, ended, stop: () => gone.abort() }
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1)

const start = async (): Promise<TaskId> => {
  const { task_id: id } = await test.accept()
  await test.write(id, { to: 'preparing', events: [progress('taken')] })
  await test.write(id, { to: 'running', events: [progress('runs')] })
  return id
}

const finish = (id: TaskId) =>
  test.write(id, { to: 'completed', events: [{ type: 'task_completed', message: 'done', data: {} }] })

describe('the event stream of a task', () => {
  it('sends past and new events with number and type, and closes after the last event', async () => {
    const id = await start()
    const reader = await follow(id)
    expect(reader.response.headers.get('content-type')).toBe('text/event-stream')
    await test.write(id, { events: [progress('one')] })
    await finish(id)
    await reader.ended
    expect(reader.seqs()).toEqual(upTo(5))
    const last = reader.sent.at(-1)
    expect(last?.event).toBe('task_completed')
    const event = JSON.parse(last?.data ?? '') as TaskEvent
    expect(event).toMatchObject({ seq: 5, task_id: id, type: 'task_completed', message: 'done' })
  })

  it('resumes after Last-Event-ID or the number in the query', async () => {
    const id = await start()
    await finish(id)
    const byHeader = await follow(id, { 'last-event-id': '2' })
    await byHeader.ended
    expect(byHeader.seqs()).toEqual([3, 4])
    const byQuery = await follow(id, {}, '?after=3')
    await byQuery.ended
    expect(byQuery.seqs()).toEqual([4])
  })

  it('answers 204 to a reader that has the last event, so that browsers do not reconnect', async () => {
    const id = await start()
    await finish(id)
    const { response } = await follow(id, { 'last-event-id': '4' })
    expect(response.status).toBe(204)
  })

  it.each(['abc', '-1', '1.5', '99'])('rejects Last-Event-ID %s', async (lastEventId) => {
    const id = await start()
    const { response } = await follow(id, { 'last-event-id': lastEventId })
    expect(response.status).toBe(400)
  })

  it('sends deltas without a number', async () => {
    const id = await start()
    const reader = await follow(id)
    await expect.poll(() => reader.seqs()).toEqual(upTo(3))
    const delta = { task_id: id, session_id: 's', part_id: 'p', field: 'text', delta: 'Hel' }
    test.bus.publishTask(id, { kind: 'delta', delta })
    await finish(id)
    await reader.ended
    const live = reader.sent.filter((one) => one.event === 'delta')
    expect(live).toEqual([{ id: undefined, event: 'delta', data: JSON.stringify(delta) }])
    expect(reader.seqs()).toEqual(upTo(4))
  })

  it('corrects bus signals that are lost, reordered or repeated', async () => {
    const id = await start()
    const reader = await follow(id)
    await expect.poll(() => reader.seqs()).toEqual(upTo(3))
    const lost = await test.write(id, { events: [progress('lost')], silently: true })
    const written = await test.write(id, { events: [progress('told')] })
    test.bus.publishTask(id, { kind: 'events', events: lost.events })
    test.bus.publishTask(id, { kind: 'events', events: written.events })
    await test.write(id, { to: 'failed', events: [{ type: 'task_failed', message: 'no', data: {} }], silently: true })
    await reader.ended
    expect(reader.seqs()).toEqual(upTo(6))
  })

  it('loses and repeats no event for readers that connect, disconnect and reconnect during writes', async () => {
    const id = await start()
    const total = 300
    const writing = (async () => {
      for (let at = 0; at < total; at += 1)
        await test.write(id, { events: [progress(`${at}`)], silently: at % 7 === 0 })
      await finish(id)
    })()
    const readOn = async (): Promise<number[]> => {
      const seen: number[] = []
      for (;;) {
        const reader = await follow(id, { 'last-event-id': String(seen.at(-1) ?? 0) })
        // Disconnect after some events; the server closes the last connection.
        const cut = expect
          .poll(() => reader.seqs().length, { interval: 5, timeout: 20_000 })
          .toBeGreaterThan(20)
          .then(() => reader.stop())
          .catch(() => {})
        await Promise.race([reader.ended.catch(() => {}), cut])
        await reader.ended.catch(() => {})
        seen.push(...reader.seqs())
        if (reader.sent.some((one) => one.event === 'task_completed')) return seen
      }
    }
    const readers = await Promise.all(Array.from({ length: 8 }, readOn))
    await writing
    for (const seen of readers) expect(seen).toEqual(upTo(total + 4))
  })

  it('serves other readers while one does not read', async () => {
    const id = await start()
    const stuck = connect(Number(new URL(url).port), '127.0.0.1')
    await once(stuck, 'connect')
    stuck.write(`GET /tasks/${id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`)
    stuck.pause()
    const reader = await follow(id)
    const large = 'x'.repeat(100_000)
    for (let at = 0; at < 60; at += 1) await test.write(id, { events: [progress(large)] })
    await expect.poll(() => reader.seqs().length, { timeout: 10_000 }).toBe(63)
    await finish(id)
    await reader.ended
    expect(reader.seqs()).toEqual(upTo(64))
    // Nothing was buffered for the slow reader, so it gets every event when it reads.
    let got = ''
    stuck.on('data', (bytes: Buffer) => {
      got += bytes.toString('latin1')
    })
    stuck.resume()
    await expect.poll(() => got.includes('event: task_completed'), { timeout: 10_000 }).toBe(true)
    expect([...got.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))).toEqual(upTo(64))
    stuck.destroy()
  })

  it('counts connected readers', async () => {
    const id = await start()
    const readers = async () =>
      /^switchyard_sse_readers (\d+)$/m.exec((await test.call<string>('GET', '/metrics')).body)?.[1]
    await expect.poll(readers).toBe('0')
    const two = await Promise.all([follow(id), follow(id)])
    expect(await readers()).toBe('2')
    for (const reader of two) reader.stop()
    await expect.poll(readers).toBe('0')
  })

  it('delivers an event to 200 readers within milliseconds', async () => {
    const id = await start()
    const readers = await Promise.all(Array.from({ length: 200 }, () => follow(id)))
    const delays: number[] = []
    for (let at = 0; at < 20; at += 1) {
      const seq = 4 + at
      const written = await test.write(id, { events: [progress('tick')], silently: true })
      const began = performance.now()
      test.bus.publishTask(id, { kind: 'events', events: written.events })
      await expect.poll(() => readers.every((reader) => reader.seqs().at(-1) === seq), { interval: 1 }).toBe(true)
      delays.push(performance.now() - began)
    }
    for (const reader of readers) reader.stop()
    const median = delays.sort((a, b) => a - b)[10] ?? Number.NaN
    // Readers and server share this process, so this bounds both, and the slowest of the 200 readers.
    expect(median).toBeLessThan(150)
  })
})
