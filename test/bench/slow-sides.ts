// Slow destinations: each is a server, the notifier's settings for it, and the recipients.

import { setTimeout as delay } from 'node:timers/promises'
import { startLettaServer, startWebhookReceiver, whyNoSynapse } from '@switchyard/testing'
import { startSlowHomeserver } from './slow-homeserver.ts'
import type { Stage } from './stage.ts'

/** How long each call takes, ms. */
const SLOW_MS = 1_000
/** Agents that take turns in calling. */
const AGENTS = 50

type SlowSide = {
  /** Variables of the notifier. */
  readonly env?: Readonly<Record<string, string>>
  /** URLs of webhooks to register. */
  readonly endpoints?: readonly string[]
  /** The agents in whose names tasks are made. */
  readonly agents?: readonly string[]
}

const slowWebhook = async (stage: Stage): Promise<SlowSide> => {
  const receiver = await stage.keep(startWebhookReceiver())
  receiver.answerWith(async () => {
    await delay(SLOW_MS)
    return 200
  })
  return { endpoints: [receiver.url] }
}

const slowLetta = async (stage: Stage): Promise<SlowSide> => {
  const letta = await stage.keep(startLettaServer())
  letta.slowDown(SLOW_MS)
  return { env: { LETTA_API_URL: letta.url }, agents: Array.from({ length: AGENTS }, () => letta.addAgent()) }
}

/** Only where a Synapse can run. */
const slowMatrix = async (stage: Stage): Promise<SlowSide> => {
  if ((await whyNoSynapse()) !== undefined) return {}
  const { env } = await stage.keep(startSlowHomeserver(SLOW_MS))
  return { env }
}

const SIDES: readonly ((stage: Stage) => Promise<SlowSide>)[] = [slowWebhook, slowLetta, slowMatrix]

/** In words. */
export const SLOW_SIDES = `a webhook, a Letta server with ${AGENTS} agents and, where one can run, a Synapse that each take ${SLOW_MS} ms`

type SlowSides = {
  readonly env: Readonly<Record<string, string>>
  readonly endpoints: readonly string[]
  /** In whose name the n-th task is made. */
  readonly agentOf: (n: number) => string
}

export const startSlowSides = async (stage: Stage): Promise<SlowSides> => {
  const sides: SlowSide[] = []
  for (const start of SIDES) sides.push(await start(stage))
  const agents = sides.flatMap((side) => side.agents ?? [])
  return {
    env: Object.assign({}, ...sides.map((side) => side.env ?? {})),
    endpoints: sides.flatMap((side) => side.endpoints ?? []),
    agentOf: (n) => agents[n % agents.length] ?? 'bench',
  }
}
