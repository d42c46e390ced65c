// SIGKILL the notifier while tasks end: every destination receives every event, under one id each.

import { setTimeout as delay } from 'node:timers/promises'
import { type LettaServer, startLettaServer, startWebhookReceiver, type WebhookReceiver } from '@switchyard/testing'
import { judgeDeliveries, undelivered } from '../deliveries.ts'
import type { Submitted } from '../ledger.ts'
import type { Context, Scenario } from '../scenario.ts'
import { until } from '../wait.ts'
import { makeWork } from '../work.ts'

const TASKS = 8
/** A time limit of one attempt that is short: for so long, and 5 s more, a lost one waits, ms. */
const ATTEMPT_MS = 2_000
/** One that was too slow on a busy machine is no matter of this scenario: it is tried again soon, ms. */
const AGAIN_MS = 500
const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`

const play = async (
  { world, random, times, ledger, say }: Context,
  receiver: WebhookReceiver,
  letta: LettaServer,
): Promise<void> => {
  const start = () =>
    world.startNotifier({
      WEBHOOK_SECRET: SECRET,
      WEBHOOK_ALLOW_PRIVATE_TARGETS: 'true',
      WEBHOOK_TIMEOUT_MS: String(ATTEMPT_MS),
      DELIVERY_RETRY_DELAY_MS: String(AGAIN_MS),
      LETTA_API_URL: letta.url,
    })
  // So slow that there is always something under way.
  receiver.answerWith(async () => {
    await delay(random.between(0, 60))
    return 200
  })
  const kills: number[] = []
  const all: Submitted[] = []
  let notifier = start()
  await notifier.ready
  for (let round = 1; round <= times; round += 1) {
    const tasks = await Promise.all(
      Array.from({ length: TASKS }, () => {
        const work = makeWork('notifier-kill', { steps: 1, holdBefore: 0 })
        const told = { callback_url: `${receiver.url}/${work.token}`, agent_id: letta.addAgent() }
        return ledger.submit(work, {}, told)
      }),
    )
    all.push(...tasks)
    const runs = (one: Submitted) => one.reader.seen.some((event) => event.type === 'task_started')
    await until('all tasks run', () => tasks.every(runs), 60_000)
    for (const { work } of tasks) world.model.release(work.token)
    const last = () => tasks.filter((one) => one.reader.seen.some((event) => event.type === 'task_completed')).length
    const atWhich = random.between(1, TASKS)
    await until('some tasks have ended', () => last() >= atWhich, 60_000, 5)
    await delay(random.between(0, 500))
    await notifier.kill()
    const at = Date.now()
    kills.push(at)
    notifier = start()
    const open = () => undelivered(world, tasks)
    await until('all tasks have ended', () => last() === TASKS, 60_000)
    const left = (await open()).length
    await until('everything is delivered', async () => (await open()).length === 0, 60_000)
    ledger.recovered(Date.now() - at)
    say(`kill ${round}: ${left} deliveries open when all had ended, none ${Date.now() - at} ms after the kill`)
  }
  const { problems, repeats } = await judgeDeliveries(world, all, { receiver, letta, kills })
  for (const problem of problems) ledger.problem(problem)
  ledger.note(
    `${repeats} calls of ${receiver.calls.length} were repeated, under their id, for a kill took their answer`,
  )
  await notifier.stop()
}

export const notifierKill: Scenario = {
  name: 'notifier-kill',
  what: 'SIGKILL the notifier while tasks end, with a webhook and a Letta server as destinations',
  times: { full: 50, short: 2 },
  run: async (context) => {
    const receiver = await startWebhookReceiver()
    const letta = await startLettaServer()
    try {
      await play(context, receiver, letta)
    } finally {
      await receiver.close()
      await letta.close()
    }
  },
}
