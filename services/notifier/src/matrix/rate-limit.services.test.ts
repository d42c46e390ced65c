import { type MatrixFixture, startMatrixFixture, whyNoSynapse } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNotifier, type TestNotifier } from '../notifier.fixture.ts'
import { run } from './tasks.fixture.ts'

const missing = await whyNoSynapse()
const TASKS = 8

describe.skipIf(missing !== undefined)(
  `Matrix notifications on a homeserver with a rate limit${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    let matrix: MatrixFixture
    let notifier: TestNotifier

    beforeAll(async () => {
      matrix = await startMatrixFixture({ per_second: 2, burst_count: 2 })
      notifier = await startTestNotifier({ ...matrix.env, MATRIX_ROOM_ID: await matrix.room() })
    })
    afterAll(async () => {
      await notifier?.close()
      await matrix?.close()
    })

    it('sends every notification once, as fast as allowed, without opening the breaker', async () => {
      const { accept, start, deliveries, records } = notifier
      await start()
      const tasks = await Promise.all(Array.from({ length: TASKS }, () => accept()))
      const began = Date.now()
      for (const task of tasks) await run(records, task)
      await expect.poll(async () => (await deliveries({ state: 'delivered' })).length, { timeout: 25_000 }).toBe(TASKS)
      expect(Date.now() - began).toBeGreaterThan(((TASKS - 2) / 2) * 1_000 - 500)
      const seen = await matrix.roomEvents((await matrix.joined(matrix.bot))[0] ?? '')
      for (const task of tasks) expect(seen.filter(({ content }) => content.body?.includes(task))).toHaveLength(1)
      // Calls wait for the limit within an attempt, so few attempts fail because of it.
      expect((await deliveries()).reduce((sum, { attempts }) => sum + attempts, 0)).toBeLessThan(TASKS * 2)
    })
  },
)
