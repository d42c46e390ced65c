// Webhooks as defined by Standard Webhooks (https://www.standardwebhooks.com): a signed POST that the target answers with 2xx.

import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { WebhookBody } from '@switchyard/contracts'
import { Webhook } from 'standardwebhooks'
import { failed, type Outcome } from './outcome.ts'
import { retryAfterMs } from './retry-after.ts'
import { TargetGuard } from './target-guard.ts'
import { failureOfError, failureOfStatus } from './webhook-failure.ts'

export type WebhookOptions = {
  /** Allows loopback, private, link-local and metadata addresses. */
  readonly allowPrivateTargets: boolean
  /** Limit of the whole call, redirects included, ms. */
  readonly timeoutMs: number
  readonly userAgent: string
  /** Checks each connection if private targets are not allowed; default: public addresses only. */
  readonly guard?: TargetGuard
}

export type WebhookCall = {
  /** The `webhook-id`, the same for every attempt. */
  readonly id: string
  readonly url: string
  /** Each one adds a signature; the newest comes first. */
  readonly secrets: readonly string[]
  readonly body: WebhookBody
}

const MAX_REDIRECTS = 3
/** The request is repeated unchanged, with its body, for each of these. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 307, 308])

type Answer = {
  readonly status: number
  readonly location: string | undefined
  readonly retryAfter: string | undefined
}

export class WebhookChannel {
  readonly #options: WebhookOptions
  /** Undefined if every address may be called. */
  readonly #guard: TargetGuard | undefined

  constructor(options: WebhookOptions) {
    this.#options = options
    this.#guard = options.allowPrivateTargets ? undefined : (options.guard ?? new TargetGuard())
  }

  /** Sends the call. It never throws; a failure is an outcome. */
  async send(call: WebhookCall): Promise<Outcome> {
    try {
      return await this.#follow(call, AbortSignal.timeout(this.#options.timeoutMs))
    } catch (error) {
      return failureOfError(error, this.#options.timeoutMs)
    }
  }

  async #follow(call: WebhookCall, signal: AbortSignal): Promise<Outcome> {
    const payload = JSON.stringify(call.body)
    const headers = this.#headers(call, payload)
    let url = new URL(call.url)
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const answer = await this.#post(url, headers, payload, signal)
      if (answer.status >= 200 && answer.status < 300) return { kind: 'delivered' }
      const next = REDIRECTS.has(answer.status) && answer.location ? URL.parse(answer.location, url.href) : null
      if (next === null) return failureOfStatus(answer.status, retryAfterMs(answer.retryAfter, Date.now()))
      if (!/^https?:$/.test(next.protocol))
        return failed('http_error', `the target redirects to ${next.protocol.slice(0, 20)}`, {
          httpStatus: answer.status,
        })
      url = next
    }
    return failed('too_many_redirects', `the target redirects more than ${MAX_REDIRECTS} times`)
  }

  #headers({ id, secrets }: WebhookCall, payload: string): Record<string, string> {
    const now = new Date()
    return {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(payload)),
      'user-agent': this.#options.userAgent,
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
      'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, now, payload)).join(' '),
    }
  }

  async #post(url: URL, headers: Record<string, string>, payload: string, signal: AbortSignal): Promise<Answer> {
    this.#guard?.checkLiteral(url.hostname)
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const send = url.protocol === 'https:' ? requestHttps : requestHttp
    const request = send(url, {
      method: 'POST',
      headers,
      signal,
      // No keep-alive: the target may close an idle connection at the moment the next call uses it.
      agent: false,
      ...(this.#guard ? { lookup: this.#guard.lookup } : {}),
    })
    request.on('error', reject)
    request.on('response', (response) => {
      resolve({
        status: response.statusCode ?? 0,
        location: response.headers.location,
        retryAfter: response.headers['retry-after'],
      })
      // Only the status is needed, and a body could be endless. Destroying the response can emit an error.
      response.on('error', () => {})
      response.destroy()
    })
    request.end(payload)
    return await promise
  }
}
