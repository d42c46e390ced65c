import type { SessionEvent } from '@switchyard/contracts'
import { script, whyNoRedis } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { followSession } from './follow-session.ts'
import { at, OPERATOR, type SessionSystem, startSessionSystem } from './session-system.ts'
import type { Backend } from './system.ts'

const noRedis = await whyNoRedis()

for (const backend of ['postgres', 'redis'] satisfies Backend[]) {
  describe.skipIf(backend === 'redis' && noRedis !== undefined)(
    `the events of a session, with the bus of ${backend}${backend === 'redis' && noRedis ? ` (skipped: ${noRedis})` : ''}`,
    () => {
      let system: SessionSystem

      beforeAll(async () => {
        system = await startSessionSystem(backend)
      })

      afterAll(() => system?.close())

      const isIdle = (event: SessionEvent) => event.type === 'session_status' && event.data.status === 'idle'
      const stored = (events: readonly SessionEvent[]) => events.filter(({ id }) => id !== null)

      it('are sent as they happen, and resumed after any of them without a gap', async () => {
        const project = await system.start()
        const session = await system.create(project, { permissions: 'allow' })
        const url = `${system.url}${at(project, session)}/event`
        const sent = await system.say(
          project,
          session,
          `Begin. ${script([
            {
              say: 'I look.',
              tools: [
                { tool: 'bash', args: { command: 'sleep 1; echo slow', description: 'slow' } },
                { tool: 'bash', args: { command: 'echo quick', description: 'quick' } },
              ],
            },
            { hold: 'events' },
            { say: 'All done.' },
          ])}`,
          { wait_ms: 0 },
        )
        const isQuick = (event: SessionEvent) => /quick → /.test(event.message)
        const live = await followSession(url, OPERATOR, isQuick)
        system.model.release('events')
        const rest = await followSession(url, OPERATOR, isIdle, live.at(-1)?.id ?? undefined)
        const whole = stored(await followSession(url, OPERATOR, isIdle))
        expect(whole[0]).toMatchObject({
          type: 'session_message',
          message: expect.stringContaining('Begin.'),
          data: { message_id: sent.messageID },
        })
        expect(whole.at(-1)).toMatchObject({
          type: 'session_turn_ended',
          data: { end: 'finished', output: 'All done.' },
        })
        expect(new Set(whole.map(({ id }) => id)).size).toBe(whole.length)
        // The live events and the resumed events are all events, each once; a tool may have been
        // reported while it ran.
        const ended = (events: readonly SessionEvent[]) =>
          stored(events)
            .filter(({ data }) => data.state !== 'running')
            .map(({ message }) => message)
            .toSorted()
        expect(ended([...live, ...rest])).toEqual(ended(whole))
        for (const event of whole) {
          const after = stored(await followSession(url, OPERATOR, isIdle, event.id ?? undefined))
          expect(after.map(({ id }) => id)).toEqual(whole.slice(whole.indexOf(event) + 1).map(({ id }) => id))
        }
      })

      it('report pending requests on every connection', async () => {
        const project = await system.start()
        const session = await system.create(project)
        await system.say(
          project,
          session,
          script([{ tool: 'bash', args: { command: 'ls', description: 'x' } }, { say: 'done' }]),
        )
        const url = `${system.url}${at(project, session)}/event`
        const isAsk = (event: SessionEvent) => event.type === 'session_input_required'
        for (const _ of [1, 2])
          expect((await followSession(url, OPERATOR, isAsk)).at(-1)).toMatchObject({
            id: null,
            data: { ask: { kind: 'permission', permission: 'bash' } },
          })
        await system.ops.ok('POST', `${at(project, session)}/abort`)
      })

      it('reject an invalid event id', async () => {
        const project = await system.start()
        const session = await system.create(project)
        expect(await system.ops.request('GET', `${at(project, session)}/event?after=7`)).toMatchObject({
          status: 400,
          body: { code: 'invalid_request' },
        })
      })
    },
  )
}
