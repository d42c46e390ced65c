// Notifications from end to end: a real task, a real receiver, and a notifier that is killed
// half-way.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Delivery, newTaskId, type WebhookWithSecret } from '@switchyard/contracts'
import { acceptTask, advance, Records } from '@switchyard/records'
import {
  createDatabase,
  ordinaryTask,
  script,
  startRedis,
  startWebhookReceiver,
  verifyWebhook,
  type WebhookReceiver,
  whyNoRedis,
} from '@switchyard/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Backend, type System, startSystem } from './system.ts'

const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`
const NOTIFIER = fileURLToPath(new URL('../../services/notifier/src/main.ts', import.meta.url))
const noRedis = await whyNoRedis()

let receiver: WebhookReceiver
beforeEach(async () => {
  receiver = await startWebhookReceiver()
})
afterEach(() => receiver.close())

for (const backend of ['postgres', 'redis'] satisfies Backend[]) {
  describe.skipIf(backend === 'redis' && noRedis !== undefined)(
    `notifications, with the queue on ${backend}${backend === 'redis' && noRedis ? ` (skipped: ${noRedis})` : ''}`,
    () => {
      let system: System
      beforeAll(async () => {
        system = await startSystem(backend, { WEBHOOK_SECRET: SECRET, WEBHOOK_ALLOW_PRIVATE_TARGETS: 'true' })
      })
      afterAll(() => system?.close())

      it('report the progress of a task to a callback_url and an endpoint, in order and signed', async () => {
        const endpoint = (await system.caller.post('/webhooks', {
          url: `${receiver.url}/endpoint`,
          event_types: ['task_queued', 'task_completed'],
        })) as WebhookWithSecret
        const test = (await system.caller.post(`/webhooks/${endpoint.webhook_id}/test`, {})) as Delivery
        expect(test).toMatchObject({ state: 'delivered', attempts: 1, failure: null })

        const { task_id } = await system.caller.submit({
          task_description: script([{ say: 'done' }]),
          callback_url: `${receiver.url}/callback`,
        })
        await system.caller.ended(task_id)
        const told = (path: string) => receiver.calls.filter((call) => call.path === path)
        await expect
          .poll(() => told('/callback').map((call) => call.body.type))
          .toEqual(['task_started', 'task_completed'])
        await expect
          .poll(() => told('/endpoint').map((call) => call.body.type))
          .toEqual(['webhook_test', 'task_queued', 'task_completed'])
        for (const call of told('/callback')) verifyWebhook(call, SECRET)
        for (const call of told('/endpoint')) verifyWebhook(call, endpoint.secret)
        expect(told('/callback').at(-1)?.body.data).toMatchObject({
          task: { task_id, status: 'completed', result: { output: 'done' } },
          event: { task_id, type: 'task_completed' },
        })
      })
    },
  )

  describe.skipIf(backend === 'redis' && noRedis !== undefined)(`a notifier that is killed, on ${backend}`, () => {
    const TASKS = 40
    const running: ChildProcess[] = []

    const start = (env: Record<string, string>): ChildProcess => {
      const child = spawn(process.execPath, [NOTIFIER], {
        env: {
          PATH: process.env.PATH,
          NOTIFIER_PORT: '0',
          LOG_LEVEL: 'error',
          WEBHOOK_SECRET: SECRET,
          WEBHOOK_ALLOW_PRIVATE_TARGETS: 'true',
          WEBHOOK_TIMEOUT_MS: '1000',
          ...env,
        },
        stdio: 'inherit',
      })
      running.push(child)
      return child
    }

    it('loses nothing, and sends nothing under two ids', async () => {
      const database = await createDatabase()
      const redis = backend === 'redis' ? await startRedis() : undefined
      const records = new Records({ connectionString: database.url, applicationName: 'test', max: 4 })
      const env = { DATABASE_URL: database.url, ...(redis ? { REDIS_URL: redis.url } : {}) }
      try {
        await records.migrate()
        const ids = Array.from({ length: TASKS }, newTaskId)
        for (const id of ids) {
          await acceptTask(records.db, {
            ...ordinaryTask(),
            id,
            callback_url: receiver.url,
          })
          for (const type of ['task_started', 'task_input_required'] as const)
            await advance(records.db, { taskId: id, generation: null, events: [{ type, message: type, data: {} }] })
        }
        // Kills the first notifier while it waits for answers.
        const middle = Promise.withResolvers<void>()
        const killed = Promise.withResolvers<void>()
        let held = 0
        receiver.answerWith(async () => {
          if (receiver.calls.length <= 20) return 200
          held += 1
          if (held === 10) middle.resolve()
          await killed.promise
          return 200
        })
        const first = start(env)
        await middle.promise
        first.kill('SIGKILL')
        await once(first, 'exit')
        killed.resolve()
        start(env)
        const distinct = () => new Set(receiver.calls.map((call) => call.id)).size
        await expect.poll(distinct, { timeout: 40_000, interval: 100 }).toBe(2 * TASKS)

        const idsOf = new Map<string, Set<string>>()
        const orderOf = new Map<string, number[]>()
        for (const { id, body } of receiver.calls) {
          const { task_id = '', seq = 0 } = body.data.event ?? {}
          const event = `${task_id} ${seq}`
          idsOf.set(event, (idsOf.get(event) ?? new Set()).add(id))
          orderOf.set(task_id, [...(orderOf.get(task_id) ?? []), seq])
        }
        expect(idsOf.size).toBe(2 * TASKS)
        expect([...idsOf.values()].filter((given) => given.size !== 1)).toEqual([])
        for (const order of orderOf.values()) expect(order).toEqual(order.toSorted((a, b) => a - b))
      } finally {
        for (const child of running.splice(0)) child.kill('SIGKILL')
        await records.close()
        await redis?.stop()
        await database.drop()
      }
    })
  })
}
