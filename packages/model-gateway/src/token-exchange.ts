// Lets Google's client library obtain the gateway's token in place of one of Google's: the library reads a subject token from
// an address and exchanges it for an access token at another one (RFC 8693). Here both are the server's own token.

import { Hono } from 'hono'
import { presentedToken } from './presented-token.ts'

const SUBJECT_PATH = '/google/subject'
const EXCHANGE_PATH = '/google/exchange'
const TOKEN_SECONDS = 3_600

/** Returns the credentials for the client library of one server. */
export const exchangedCredentials = (gatewayUrl: string, token: string): Readonly<Record<string, unknown>> => ({
  type: 'external_account',
  audience: '//iam.googleapis.com/switchyard',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_url: `${gatewayUrl}${EXCHANGE_PATH}`,
  credential_source: { url: `${gatewayUrl}${SUBJECT_PATH}`, headers: { Authorization: `Bearer ${token}` } },
})

/** @param isValid - whether a token is one of a running server. */
export const createTokenExchange = (isValid: (token: string) => boolean): Hono => {
  const app = new Hono()
  app.get(SUBJECT_PATH, (context) => {
    const presented = presentedToken(context.req.raw.headers)
    return presented && isValid(presented.token) ? context.text(presented.token) : context.text('unknown token', 401)
  })
  app.post(EXCHANGE_PATH, async (context) => {
    const { subject_token: token } = await context.req.parseBody()
    if (typeof token !== 'string' || !isValid(token)) return context.json({ error: 'invalid_grant' }, 401)
    return context.json({
      access_token: token,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: TOKEN_SECONDS,
    })
  })
  return app
}
