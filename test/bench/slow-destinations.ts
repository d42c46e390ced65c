// Starts slow notification destinations: servers, the notifier's settings for them, and recipients.

import { setTimeout as delay } from 'node:timers/promises'
import { startLettaServer, startWebhookReceiver, whyNoSynapse } from '@switchyard/testing'
import type { Resources } from './resources.ts'
import { startSlowHomeserver } from './slow-homeserver.ts'

/** How long each call takes, ms. */
const SLOW_MS = 1_000
/** Number of Letta agents that submit the tasks in turn. */
const AGENTS = 50

type SlowDestination = {
  /** Environment variables of the notifier. */
  readonly env?: Readonly<Record<string, string>>
  /** URLs of webhooks to register. */
  readonly endpoints?: readonly string[]
  /** Agents that submit the tasks. */
  readonly agents?: readonly string[]
}

const slowWebhook = async (resources: Resources): Promise<SlowDestination> => {
  const receiver = await resources.add(startWebhookReceiver())
  receiver.answerWith(async () => {
    await delay(SLOW_MS)
    return 200
  })
  return { endpoints: [receiver.url] }
}

const slowLetta = async (resources: Resources): Promise<SlowDestination> => {
  const letta = await resources.add(startLettaServer())
  letta.slowDown(SLOW_MS)
  return { env: { LETTA_API_URL: letta.url }, agents: Array.from({ length: AGENTS }, () => letta.addAgent()) }
}

/** Returns nothing if Synapse cannot run here. */
const slowMatrix = async (resources: Resources): Promise<SlowDestination> => {
  if ((await whyNoSynapse()) !== undefined) return {}
  const { env } = await resources.add(startSlowHomeserver(SLOW_MS))
  return { env }
}

const DESTINATIONS: readonly ((resources: Resources) => Promise<SlowDestination>)[] = [
  slowWebhook,
  slowLetta,
  slowMatrix,
]

/** Describes the slow destinations in the report. */
export const SLOW_DESTINATIONS = `a webhook, a Letta server with ${AGENTS} agents and (if it can run) a Synapse that answer after ${SLOW_MS} ms`

type SlowDestinations = {
  readonly env: Readonly<Record<string, string>>
  readonly endpoints: readonly string[]
  /** Returns the agent that submits the n-th task. */
  readonly agentOf: (n: number) => string
}

export const startSlowDestinations = async (resources: Resources): Promise<SlowDestinations> => {
  const destinations: SlowDestination[] = []
  for (const start of DESTINATIONS) destinations.push(await start(resources))
  const agents = destinations.flatMap((each) => each.agents ?? [])
  return {
    env: Object.assign({}, ...destinations.map((each) => each.env ?? {})),
    endpoints: destinations.flatMap((each) => each.endpoints ?? []),
    agentOf: (n) => agents[n % agents.length] ?? 'bench',
  }
}
