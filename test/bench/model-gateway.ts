// What the model gateway adds to each call of a model.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { createLogger } from '@switchyard/config'
import { ModelGateway } from '@switchyard/model-gateway'
import { now } from './clock.ts'
import { interleave, median, spreadOf } from './figures.ts'
import type { Section } from './report.ts'
import { type Postgres, Resources } from './resources.ts'

const AIM_MS = 3
/** Between the first part of an answer and the rest: a gateway that buffers adds it to the first byte. */
const PAUSE_MS = 20
const PROMPT = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x'.repeat(20_000) }] })

const startModel = async (resources: Resources): Promise<string> => {
  const server = createServer(async (incoming, response) => {
    for await (const _chunk of incoming);
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
    setTimeout(() => response.end('data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'), PAUSE_MS)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  resources.onClose(async () => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
}

/** @returns ms until the first byte of the answer's body. */
const firstByte = async (url: string, token: string): Promise<number> => {
  const began = now()
  const response = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: PROMPT,
  })
  const reader = response.body?.getReader()
  await reader?.read()
  const took = now() - began
  while (!(await reader?.read())?.done);
  return took
}

export const measureModelGateway = async (_postgres: Postgres, quick: boolean): Promise<Section> => {
  await using resources = new Resources()
  const model = await startModel(resources)
  const gateway = new ModelGateway({
    host: '127.0.0.1',
    port: 0,
    logger: createLogger({ log: { level: 'silent' } }, 'bench'),
  })
  await gateway.listen()
  resources.onClose(() => gateway.close())
  const provider = { custom: { options: { baseURL: model, apiKey: 'key' } } }
  const { environment } = await gateway.open('bench', {
    HOME: await resources.directory('model-gateway'),
    OPENCODE_CONFIG_CONTENT: JSON.stringify({ provider }),
  })
  const { options } = JSON.parse(environment.OPENCODE_CONFIG_CONTENT ?? '').provider.custom
  const rounds = quick ? 20 : 300
  await firstByte(options.baseURL, options.apiKey)
  const both = await interleave(
    rounds,
    () => firstByte(options.baseURL, options.apiKey),
    () => firstByte(model, 'key'),
  )
  const added = both.map((round) => round.ours - round.bare)
  return {
    title: '9. A call of a model through the gateway',
    explanation: [
      'Switchyard: from a request with a prompt of 20 kB to the first byte of the answer, through the model gateway.',
      `bare: the same call without it. The model sends the rest ${PAUSE_MS} ms later. ${rounds} times each.`,
    ],
    unit: 'ms',
    rows: [
      { name: 'added to the first byte', ours: median(added), spread: spreadOf(added), aim: AIM_MS },
      {
        name: 'time to the first byte',
        ours: median(both.map((round) => round.ours)),
        bare: median(both.map((round) => round.bare)),
        spread: spreadOf(both.map((round) => round.ours / round.bare)),
      },
    ],
  }
}
