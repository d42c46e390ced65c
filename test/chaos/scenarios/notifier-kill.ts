// Kills the notifier while tasks end. Every destination still receives every event, each under one
// id.

import { setTimeout as delay } from 'node:timers/promises'
import { type LettaServer, startLettaServer, startWebhookReceiver, type WebhookReceiver } from '@switchyard/testing'
import { checkDeliveries, findUndelivered } from '../deliveries.ts'
import type { Context, Scenario } from '../scenario.ts'
import type { Submitted } from '../task-verifier.ts'
import { waitUntil } from '../wait.ts'
import { createWorkload } from '../workload.ts'

const TASKS = 8
/**
 * Time limit of one attempt, ms. Short, because an attempt that the kill interrupted is retried 5 s
 * after it.
 */
const ATTEMPT_MS = 2_000
/** Retry delay, ms. Short, because an attempt may time out on a busy machine. */
const RETRY_MS = 500
const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`

const killRepeatedly = async (
  { system, random, times, verifier, log }: Context,
  receiver: WebhookReceiver,
  letta: LettaServer,
): Promise<void> => {
  const start = () =>
    system.startNotifier({
      WEBHOOK_SECRET: SECRET,
      WEBHOOK_ALLOW_PRIVATE_TARGETS: 'true',
      WEBHOOK_TIMEOUT_MS: String(ATTEMPT_MS),
      DELIVERY_RETRY_DELAY_MS: String(RETRY_MS),
      LETTA_API_URL: letta.url,
    })
  // Answer slowly, so that some calls are always in progress.
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
        const work = createWorkload('notifier-kill', { steps: 1, holdBefore: 0 })
        const destinations = { callback_url: `${receiver.url}/${work.token}`, agent_id: letta.addAgent() }
        return verifier.submit(work, {}, destinations)
      }),
    )
    all.push(...tasks)
    const hasStarted = (one: Submitted) => one.reader.events.some((event) => event.type === 'task_started')
    await waitUntil('all tasks have started', () => tasks.every(hasStarted), 60_000)
    for (const { work } of tasks) system.model.release(work.token)
    const ended = () => tasks.filter((one) => one.reader.events.some((event) => event.type === 'task_completed')).length
    const killAfter = random.between(1, TASKS)
    await waitUntil('some tasks have ended', () => ended() >= killAfter, 60_000, 5)
    await delay(random.between(0, 500))
    await notifier.kill()
    const at = Date.now()
    kills.push(at)
    notifier = start()
    const open = () => findUndelivered(system, tasks)
    await waitUntil('all tasks have ended', () => ended() === TASKS, 60_000)
    const left = (await open()).length
    await waitUntil('everything is delivered', async () => (await open()).length === 0, 60_000)
    verifier.recovered(Date.now() - at)
    log(
      `kill ${round}: ${left} deliveries open when all tasks had ended; all delivered ${Date.now() - at} ms after the kill`,
    )
  }
  const { problems, repeats } = await checkDeliveries(system, all, { receiver, letta, kills })
  for (const problem of problems) verifier.problem(problem)
  verifier.note(
    `${repeats} of ${receiver.calls.length} calls were repeated under the same id, because a kill lost their answer`,
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
      await killRepeatedly(context, receiver, letta)
    } finally {
      await receiver.close()
      await letta.close()
    }
  },
}
