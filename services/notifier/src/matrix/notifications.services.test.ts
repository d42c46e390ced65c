import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { advance } from '@switchyard/records'
import { type MatrixFixture, type RoomEvent, startMatrixFixture, whyNoSynapse } from '@switchyard/testing'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { event, startTestNotifier, type TestNotifier } from '../notifier.fixture.ts'
import { complete, run } from './tasks.fixture.ts'

const missing = await whyNoSynapse()

describe.skipIf(missing !== undefined)(`Matrix notifications${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let matrix: MatrixFixture
  let notifier: TestNotifier

  beforeAll(async () => {
    matrix = await startMatrixFixture()
  })
  afterAll(() => matrix?.close())
  afterEach(() => notifier?.close())

  const startWith = async (env: Readonly<Record<string, string>>) => {
    notifier = await startTestNotifier({ ...matrix.env, ...env })
    await notifier.start()
    return notifier
  }
  const delivered = (count: number) =>
    expect.poll(async () => (await notifier.deliveries({ state: 'delivered' })).length, { timeout: 20_000 }).toBe(count)
  const failureCode = () =>
    expect.poll(async () => (await notifier.deliveries()).map((each) => each.failure?.code), { timeout: 20_000 })
  const bodies = (events: readonly RoomEvent[]) => events.map(({ content }) => content.body ?? '')

  it('posts the start, one progress message and the end of a task in one thread', async () => {
    const roomId = await matrix.room()
    const { records, accept, addEvents } = await startWith({ MATRIX_ROOM_ID: roomId, MATRIX_PROGRESS_INTERVAL_MS: '1' })
    const task = await accept({ description: 'Fix <b>it</b> & notify @room' })
    await run(records, task)
    await delivered(1)
    for (const count of [2, 3, 4]) {
      await addEvents(task, { type: 'task_progress', message: `step ${count} <img src=x>`, data: {} })
      await delivered(count)
    }
    await complete(records, task, 'All <script>done</script>.')
    await delivered(5)

    const [root, progress, firstEdit, secondEdit, end, ...rest] = await matrix.roomEvents(roomId)
    expect(rest).toEqual([])
    expect(root?.sender).toBe(matrix.bot.id)
    expect(root?.content.body).toContain('Fix <b>it</b> & notify @room')
    expect(root?.content.formatted_body).toContain('Fix &lt;b&gt;it&lt;/b&gt; &amp; notify @room')
    expect(root?.content).toMatchObject({ 'm.mentions': {}, msgtype: 'm.notice' })
    const inThread = { rel_type: 'm.thread', event_id: root?.event_id }
    expect(progress?.content).toMatchObject({ 'm.relates_to': inThread, body: expect.stringContaining('step 2') })
    expect(progress?.content.formatted_body).toContain('&lt;img src=x&gt;')
    for (const [edit, words] of [
      [firstEdit, 'step 3'],
      [secondEdit, 'step 4'],
    ] as const)
      expect(edit?.content).toMatchObject({
        'm.relates_to': { rel_type: 'm.replace', event_id: progress?.event_id },
        'm.new_content': { body: expect.stringContaining(words) },
      })
    expect(end?.content).toMatchObject({ 'm.relates_to': inThread, msgtype: 'm.text' })
    for (const words of ['Completed', '2 files, +12 −3', '$0.0421', 'switchyard/fix', 'All <script>done</script>.'])
      expect(end?.content.body).toContain(words)
    expect(end?.content.formatted_body).toContain('All &lt;script&gt;done&lt;/script&gt;.')
  })

  it('attaches a long answer, and shows why a task failed', async () => {
    const roomId = await matrix.room()
    const { records, accept } = await startWith({ MATRIX_ROOM_ID: roomId })
    const [long, failing] = [await accept(), await accept()]
    await run(records, long)
    const answer = `${'words '.repeat(2_000)}END`
    await complete(records, long, answer)
    await delivered(2)
    const file = (await matrix.roomEvents(roomId)).find(({ content }) => content.msgtype === 'm.file')
    const [, server, media] = /^mxc:\/\/([^/]+)\/(.+)$/.exec(String(file?.content.url)) ?? []
    const got = await fetch(`${matrix.synapse.url}/_matrix/client/v1/media/download/${server}/${media}`, {
      headers: { authorization: `Bearer ${matrix.ann.token}` },
    })
    expect(await got.text()).toBe(answer)

    await run(records, failing)
    const error = { code: 'model_error', message: 'the provider <refused>', retryable: true }
    const failed = event('task_failed')
    await advance(records.db, { taskId: failing, generation: null, to: 'failed', set: { error }, events: [failed] })
    await delivered(4)
    const last = (await matrix.roomEvents(roomId)).at(-1)
    expect(last?.content.body).toContain('the provider <refused>')
    expect(last?.content.formatted_body).toContain('the provider &lt;refused&gt;')
  })

  it('posts nothing twice under one id, even if the first attempt was not recorded', async () => {
    const roomId = await matrix.room()
    const { records, accept } = await startWith({ MATRIX_ROOM_ID: roomId })
    const task = await accept()
    await run(records, task)
    await advance(records.db, { taskId: task, generation: null, events: [event('task_input_answered')] })
    await delivered(2)
    await sql`UPDATE deliveries SET state = 'pending', next_attempt_at = now()`.execute(records.db)
    await delivered(2)
    await sql`DELETE FROM matrix_threads`.execute(records.db)
    await sql`UPDATE deliveries SET state = 'pending', next_attempt_at = now()`.execute(records.db)
    await delivered(2)
    expect(bodies(await matrix.roomEvents(roomId))).toHaveLength(2)
  })

  it("posts to the agent's room, given by its alias, or to a room of the task with its observers", async () => {
    const [ben, eve] = [await matrix.synapse.register('ben'), await matrix.synapse.register('eve')]
    const roomId = await matrix.room({ room_alias_name: 'builds' })
    const { records, accept } = await startWith({
      MATRIX_ROOMS: 'builder=#builds:switchyard.test',
      MATRIX_ROOM_PER_TASK: 'true',
    })
    const [builders, own, lonely] = [
      await accept({ agent_id: 'builder' }),
      await accept({ observers: [ben.id, '@nobody:nowhere.invalid', 'not a user'], description: 'Own room' }),
      await accept(),
    ]
    for (const task of [builders, own, lonely]) await run(records, task)
    await delivered(3)
    expect(await matrix.roomEvents(roomId)).toHaveLength(1)
    const invitedTo = async (user: typeof ben) => {
      const { rooms } = (await user.call('GET', '/_matrix/client/v3/sync')) as { rooms?: { invite?: object } }
      return Object.keys(rooms?.invite ?? {})
    }
    const [ownRoom, ...others] = await invitedTo(ben)
    expect(others).toEqual([])
    expect(await invitedTo(eve)).toEqual([])
    expect(await invitedTo(matrix.ann)).toHaveLength(1)
    await ben.call('POST', `/_matrix/client/v3/join/${encodeURIComponent(ownRoom ?? '')}`, {})
    const name = await ben.call('GET', matrix.path(ownRoom ?? '', 'state/m.room.name/'))
    expect(name).toEqual({ name: 'Own room' })

    // The bot leaves the task's room long after the end, and stays in the shared room.
    await complete(records, own, 'done')
    await delivered(4)
    expect(await matrix.joined(matrix.bot)).toContain(ownRoom)
    await sql`UPDATE tasks SET completed_at = now() - interval '8 days' WHERE id = ${own}`.execute(records.db)
    await expect.poll(() => matrix.joined(matrix.bot), { timeout: 20_000 }).not.toContain(ownRoom)
    expect(await matrix.joined(matrix.bot)).toContain(roomId)
  })

  it('reports a deleted, closed, encrypted or read-only room, and delivers once it is fixed', async () => {
    const roomId = await matrix.room({ power_level_content_override: { events_default: 50 } })
    await matrix.bot.call('POST', `/_matrix/client/v3/join/${roomId}`, {})
    const encrypted = await matrix.room({
      initial_state: [{ type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
    })
    const closed = await matrix.room({}, [])
    const deleted = await matrix.room()
    await matrix.bot.call('POST', `/_matrix/client/v3/join/${deleted}`, {})
    await matrix.admin.call('DELETE', `/_synapse/admin/v1/rooms/${encodeURIComponent(deleted)}`, { block: true })
    const { records, accept, deliveries } = await startWith({
      MATRIX_ROOM_ID: roomId,
      MATRIX_ROOMS: `encrypted=${encrypted},closed=${closed},deleted=${deleted}`,
    })
    const codes = {
      agent: 'matrix_not_allowed_to_post',
      encrypted: 'matrix_room_encrypted',
      closed: 'matrix_room_unavailable',
      deleted: 'matrix_room_unavailable',
    }
    for (const agent_id of Object.keys(codes)) await run(records, await accept({ agent_id }))
    await failureCode().toEqual(Object.values(codes))
    for (const { failure } of await deliveries()) expect(failure?.hint.length).toBeGreaterThan(20)
    expect((await deliveries({ state: 'dead' })).map((each) => each.failure?.code)).toEqual(['matrix_room_encrypted'])

    const powers = await matrix.ann.call('GET', matrix.path(roomId, 'state/m.room.power_levels/'))
    await matrix.ann.call('PUT', matrix.path(roomId, 'state/m.room.power_levels/'), { ...powers, events_default: 0 })
    await matrix.ann.call('POST', matrix.path(closed, 'invite'), { user_id: matrix.bot.id })
    await delivered(2)
  })

  it('reports an invalid token, and later that Matrix is no longer configured', async () => {
    const roomId = await matrix.room()
    const bot = await matrix.synapse.register('shortlived')
    await matrix.ann.call('POST', matrix.path(roomId, 'invite'), { user_id: bot.id })
    const { records, accept, stop, database } = await startWith({
      MATRIX_ROOM_ID: roomId,
      MATRIX_ACCESS_TOKEN: bot.token,
    })
    await run(records, await accept())
    await delivered(1)
    await bot.call('POST', '/_matrix/client/v3/logout', {})
    await run(records, await accept())
    await failureCode().toContain('matrix_token_invalid')
    await stop()
    const { db } = records
    const without = await startTestNotifier({}, database)
    await without.start()
    await sql`UPDATE deliveries SET next_attempt_at = now()`.execute(db)
    await sql`DELETE FROM delivery_lanes`.execute(db)
    await failureCode().toContain('matrix_not_configured')
    await without.close()
    await run(records, await accept())
    expect(await notifier.deliveries()).toHaveLength(2)
  })

  it('reports an unreachable homeserver, a URL of another server, and the token of another user', async () => {
    const website = createServer((_, response) => response.end('<h1>Welcome</h1>')).listen(0, '127.0.0.1')
    await once(website, 'listening')
    const { port } = website.address() as AddressInfo
    for (const [env, code] of [
      [{ MATRIX_HOMESERVER_URL: 'http://127.0.0.1:9' }, 'connection_failed'],
      [{ MATRIX_HOMESERVER_URL: `${matrix.synapse.url}/nowhere` }, 'endpoint_not_found'],
      [{ MATRIX_HOMESERVER_URL: `http://127.0.0.1:${port}` }, 'http_error'],
      [{ MATRIX_USER_ID: matrix.ann.id }, 'matrix_token_invalid'],
    ] as const) {
      const { records, accept, close } = await startWith({ MATRIX_ROOM_ID: '!room:x', ...env })
      await run(records, await accept())
      await failureCode().toEqual([code])
      await close()
    }
    website.close()
    notifier = await startTestNotifier()
  })
})
