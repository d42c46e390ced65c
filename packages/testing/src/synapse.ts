// A real Matrix homeserver for a test file: Synapse in a container, and the people on it.

import { execFile } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

const IMAGE = 'matrixdotorg/synapse:latest'
const NAME = 'switchyard.test'
const PORT = 8008
const REGISTRATION_SECRET = 'only-for-this-container'
/** So much that no test meets a limit that it does not set. */
const UNLIMITED = { per_second: 10_000, burst_count: 10_000 }

export type RateLimit = { readonly per_second: number; readonly burst_count: number }

/** Who is registered: what they can do is the client-server API, called as they are. */
export type MatrixUser = {
  readonly id: string
  readonly token: string
  /**
   * @param path - after the host, such as `/_matrix/client/v3/sync`.
   * @throws Error with status and body where the server does not answer with 2xx.
   */
  readonly call: (method: string, path: string, body?: object) => Promise<Record<string, unknown>>
}

export type Synapse = {
  readonly url: string
  /** A user of that local part, with a token of their own. */
  readonly register: (name: string, isAdmin?: boolean) => Promise<MatrixUser>
  readonly stop: () => Promise<void>
}

/** Why there can be no Synapse here; undefined where there can. With REQUIRE_DOCKER=1 nothing is missing: it fails instead. */
export const whyNoSynapse = async (): Promise<string | undefined> => {
  if (process.env.REQUIRE_DOCKER === '1') return undefined
  return await promisify(execFile)('docker', ['image', 'inspect', IMAGE], { timeout: 15_000 }).then(
    () => undefined,
    () => `there is no Docker engine with the image ${IMAGE} on this machine`,
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
  const made = await call('POST', path, { nonce, username, password, admin: isAdmin, mac })
  const token = String(made.access_token)
  return { id: String(made.user_id), token, call: caller(url, token) }
}

/** @param messages - the limit of messages for each user, as Synapse's `rc_message`; default: none. */
export const startSynapse = async (messages: RateLimit = UNLIMITED): Promise<Synapse> => {
  // Its reaper is another image; the test that started the container stops it. Read at import.
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
