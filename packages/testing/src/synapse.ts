// Starts a Matrix homeserver for a test file: Synapse in a container.

import { execFile } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

const IMAGE = 'matrixdotorg/synapse:latest'
const NAME = 'switchyard.test'
const PORT = 8008
const REGISTRATION_SECRET = 'only-for-this-container'
/** High enough that only tests that set a limit reach it. */
const UNLIMITED = { per_second: 10_000, burst_count: 10_000 }

export type RateLimit = { readonly per_second: number; readonly burst_count: number }

/** A registered user. */
export type MatrixUser = {
  readonly id: string
  readonly token: string
  /**
   * Calls the client-server API as this user.
   *
   * @param path - such as `/_matrix/client/v3/sync`
   * @throws Error with status and body if the status is not 2xx
   */
  readonly call: (method: string, path: string, body?: object) => Promise<Record<string, unknown>>
}

export type Synapse = {
  readonly url: string
  /** Registers a user by the local part of its id. */
  readonly register: (name: string, isAdmin?: boolean) => Promise<MatrixUser>
  readonly stop: () => Promise<void>
}

/**
 * Returns the reason why tests that need Synapse must be skipped here, or undefined if
 * `startSynapse` works. With REQUIRE_DOCKER=1 it always returns undefined, so that a missing engine
 * fails the test.
 */
export const whyNoSynapse = async (): Promise<string | undefined> => {
  if (process.env.REQUIRE_DOCKER === '1') return undefined
  return await promisify(execFile)('docker', ['image', 'inspect', IMAGE], { timeout: 15_000 }).then(
    () => undefined,
    () => `no Docker engine on this machine has the image ${IMAGE}`,
  )
}

const settings = (messages: RateLimit) => ({
  server_name: NAME,
  listeners: [
    { port: PORT, type: 'http', tls: false, bind_addresses: ['0.0.0.0'], resources: [{ names: ['client'] }] },
  ],
  database: { name: 'sqlite3', args: { database: ':memory:' } },
  media_store_path: '/data/media',
  signing_key_path: '/data/signing.key',
  log_config: '/data/log.yaml',
  registration_shared_secret: REGISTRATION_SECRET,
  macaroon_secret_key: randomBytes(16).toString('hex'),
  form_secret: randomBytes(16).toString('hex'),
  report_stats: false,
  trusted_key_servers: [],
  rc_message: messages,
  rc_registration: UNLIMITED,
  rc_invites: { per_room: UNLIMITED, per_user: UNLIMITED, per_issuer: UNLIMITED },
  rc_joins: { local: UNLIMITED, remote: UNLIMITED },
  rc_room_creation: UNLIMITED,
})

const LOGGING = {
  version: 1,
  handlers: { out: { class: 'logging.StreamHandler' } },
  root: { level: 'WARNING', handlers: ['out'] },
}

const caller =
  (url: string, token?: string): MatrixUser['call'] =>
  async (method, path, body) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(30_000),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`)
    return JSON.parse(text) as Record<string, unknown>
  }

const register = async (url: string, username: string, isAdmin: boolean): Promise<MatrixUser> => {
  const call = caller(url)
  const path = '/_synapse/admin/v1/register'
  const { nonce } = await call('GET', path)
  const password = randomBytes(12).toString('hex')
  const mac = createHmac('sha1', REGISTRATION_SECRET)
    .update([nonce, username, password, isAdmin ? 'admin' : 'notadmin'].join('\0'))
    .digest('hex')
  const created = await call('POST', path, { nonce, username, password, admin: isAdmin, mac })
  const token = String(created.access_token)
  return { id: String(created.user_id), token, call: caller(url, token) }
}

/**
 * Starts an empty homeserver.
 *
 * @param messages - limit of messages per user (Synapse's `rc_message`); default: no limit
 */
export const startSynapse = async (messages: RateLimit = UNLIMITED): Promise<Synapse> => {
  // Testcontainers reads this at import. Its reaper needs another image; here the caller stops the
  // container.
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true'
  const { GenericContainer, Wait } = await import('testcontainers')
  const container = await new GenericContainer(IMAGE)
    .withEntrypoint(['python3', '-m', 'synapse.app.homeserver', '--config-path', '/data/homeserver.yaml'])
    .withCommand([])
    .withExposedPorts(PORT)
    .withCopyContentToContainer([
      { target: '/data/homeserver.yaml', content: JSON.stringify(settings(messages)) },
      { target: '/data/log.yaml', content: JSON.stringify(LOGGING) },
      {
        target: '/data/signing.key',
        content: `ed25519 a_test ${randomBytes(32).toString('base64').replace(/=+$/, '')}\n`,
      },
    ])
    .withWaitStrategy(Wait.forHttp('/health', PORT))
    .withStartupTimeout(60_000)
    .start()
  const url = `http://${container.getHost()}:${container.getMappedPort(PORT)}`
  return {
    url,
    register: (name, isAdmin = false) => register(url, name, isAdmin),
    stop: async () => {
      await container.stop({ timeout: 0 })
    },
  }
}
