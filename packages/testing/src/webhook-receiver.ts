// Receives webhooks in tests: an HTTP server that records every call and answers as configured.
// Signatures are verified with the package of the Standard Webhooks specification.

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { Webhook } from 'standardwebhooks'

type WebhookBody = {
  readonly type: string
  readonly timestamp: string
  readonly data: {
    readonly task?: { readonly task_id: string; readonly status: string }
    readonly event?: { readonly task_id: string; readonly seq: number; readonly type: string }
    readonly webhook_id?: string
  }
}

export type WebhookCall = {
  readonly path: string
  readonly id: string
  readonly headers: IncomingHttpHeaders
  readonly raw: string
  readonly body: WebhookBody
  readonly receivedAt: number
}

/** How to answer a call. `hang`: not at all, with the connection open. */
export type WebhookAnswer = number | 'hang' | { readonly status: number; readonly headers: Record<string, string> }

export type WebhookReceiver = {
  readonly url: string
  readonly port: number
  /** Every call in order of arrival, whatever the answer was. */
  readonly calls: WebhookCall[]
  /** Sets how calls are answered from now on. The default is 200. */
  answerWith(answer: (call: WebhookCall) => WebhookAnswer | Promise<WebhookAnswer>): void
  close(): Promise<void>
}

/**
 * Checks the signature of a call.
 *
 * @throws WebhookVerificationError if `secret` did not create it
 */
export const verifyWebhook = (call: WebhookCall, secret: string): void => {
  new Webhook(secret).verify(call.raw, call.headers as Record<string, string>)
}

/**
 * Starts the receiver on loopback.
 *
 * @param port - 0 for a free one
 */
export const startWebhookReceiver = async (port = 0): Promise<WebhookReceiver> => {
  const calls: WebhookCall[] = []
  let answerOf: (call: WebhookCall) => WebhookAnswer | Promise<WebhookAnswer> = () => 200
  const receive = async (request: IncomingMessage, response: ServerResponse) => {
    let raw = ''
    for await (const chunk of request.setEncoding('utf8')) raw += chunk
    const call: WebhookCall = {
      path: request.url ?? '',
      id: String(request.headers['webhook-id']),
      headers: request.headers,
      raw,
      body: JSON.parse(raw) as WebhookBody,
      receivedAt: Date.now(),
    }
    calls.push(call)
    const answer = await answerOf(call)
    if (answer === 'hang') return
    const { status, headers } = typeof answer === 'number' ? { status: answer, headers: {} } : answer
    response.writeHead(status, headers).end()
  }
  const server = createServer((request, response) => {
    // The caller may close the connection before the answer.
    receive(request, response).catch(() => response.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    calls,
    answerWith(answer) {
      answerOf = answer
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
