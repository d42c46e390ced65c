// A server that answers as each kind of model provider does, and records what reached it.

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { crc32 } from 'node:zlib'

export type UpstreamRequest = {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export type ScriptedProviders = {
  readonly url: string
  readonly requests: UpstreamRequest[]
  readonly close: () => Promise<void>
}

/** What every answer says, and the tokens it reports. */
export const ANSWER = 'It is done.'
export const ANSWER_TOKENS = { input: 120, output: 7 } as const

/** What the scripted Google issues. */
export const GOOGLE_TOKEN = 'google-access-token'

export const startScriptedProviders = async (): Promise<ScriptedProviders> => {
  const requests: UpstreamRequest[] = []
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const { method = '', url = '', headers } = incoming
    requests.push({ method, url, headers, body: Buffer.concat(chunks).toString('utf8') })
    answer(url, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    requests,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

const answer = (url: string, response: ServerResponse): void => {
  const path = new URL(url, 'http://provider').pathname
  if (path.endsWith('/converse-stream')) {
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
    for (const [type, payload] of BEDROCK) response.write(frame(type, payload))
    response.end()
    return
  }
  if (path.endsWith('/sts')) {
    const token = { access_token: GOOGLE_TOKEN, token_type: 'Bearer', expires_in: 3_600 }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(token))
    return
  }
  const events = eventsFor(path)
  if (!events) {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{"message":"no such path"}}')
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of events) {
    const type = 'type' in event && typeof event.type === 'string' ? `event: ${event.type}\n` : ''
    response.write(`${type}data: ${JSON.stringify(event)}\n\n`)
  }
  response.end(path.endsWith('/chat/completions') ? 'data: [DONE]\n\n' : undefined)
}

const eventsFor = (path: string): readonly object[] | undefined => {
  if (path.endsWith('/chat/completions')) return CHAT
  if (path.endsWith('/responses')) return RESPONSES
  if (path.endsWith('/messages') || path.endsWith(':streamRawPredict')) return ANTHROPIC
  if (path.endsWith(':streamGenerateContent')) return GEMINI
  return undefined
}

const { input, output } = ANSWER_TOKENS
const chunk = (rest: object): object => ({
  id: 'chat_1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  ...rest,
})

const CHAT = [
  chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: ANSWER }, finish_reason: null }] }),
  chunk({
    choices: [{ index: 0, delta: { content: '' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
  }),
]

const message = { type: 'message', id: 'item_1', role: 'assistant', status: 'completed' }
const text = { type: 'output_text', text: ANSWER, annotations: [] }
const reply = { id: 'resp_1', object: 'response', created_at: 1, model: 'm' }

const RESPONSES = [
  { type: 'response.created', response: { ...reply, status: 'in_progress', output: [] } },
  { type: 'response.output_item.added', output_index: 0, item: { ...message, status: 'in_progress', content: [] } },
  { type: 'response.output_text.delta', item_id: 'item_1', output_index: 0, content_index: 0, delta: ANSWER },
  { type: 'response.output_item.done', output_index: 0, item: { ...message, content: [text] } },
  {
    type: 'response.completed',
    response: {
      ...reply,
      status: 'completed',
      output: [{ ...message, content: [text] }],
      usage: {
        input_tokens: input,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: output,
        output_tokens_details: { reasoning_tokens: 0 },
      },
    },
  },
]

const ANTHROPIC = [
  {
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      // The rest of the input was in the cache.
      usage: {
        input_tokens: input - 20,
        cache_read_input_tokens: 20,
        cache_creation_input_tokens: 0,
        output_tokens: 1,
      },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: ANSWER } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: output } },
  { type: 'message_stop' },
]

const GEMINI = [
  {
    candidates: [{ content: { role: 'model', parts: [{ text: ANSWER }] }, index: 0 }],
    usageMetadata: { promptTokenCount: input },
  },
  {
    candidates: [{ content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP', index: 0 }],
    usageMetadata: { promptTokenCount: input, candidatesTokenCount: output, totalTokenCount: input + output },
  },
]

const BEDROCK: readonly (readonly [string, object])[] = [
  ['messageStart', { role: 'assistant' }],
  ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: ANSWER } }],
  ['contentBlockStop', { contentBlockIndex: 0 }],
  ['messageStop', { stopReason: 'end_turn' }],
  ['metadata', { usage: { inputTokens: input, outputTokens: output, totalTokens: input + output }, metrics: {} }],
]

/** One frame of an Amazon event stream. */
const frame = (type: string, payload: object): Buffer => {
  const headers = Buffer.concat(
    Object.entries({ ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' }).map(
      ([name, value]) => {
        const head = Buffer.alloc(4)
        head.writeUInt8(7, 1)
        head.writeUInt16BE(value.length, 2)
        return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), head.subarray(1), Buffer.from(value)])
      },
    ),
  )
  const body = Buffer.from(JSON.stringify(payload))
  const prelude = Buffer.alloc(12)
  prelude.writeUInt32BE(prelude.length + headers.length + body.length + 4, 0)
  prelude.writeUInt32BE(headers.length, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  const rest = Buffer.concat([prelude, headers, body])
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(rest), 0)
  return Buffer.concat([rest, checksum])
}
