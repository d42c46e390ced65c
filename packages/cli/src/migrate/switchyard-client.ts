// Client of the running Switchyard: projects through its MCP tools, sandboxes and servers through
// REST.

import { openAsBlob } from 'node:fs'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import {
  ERRORS,
  type ErrorCode,
  offeredKeySchema,
  type ProjectInfo,
  problemSchema,
  projectInfoSchema,
  type SandboxImported,
  type ServerInfo,
  type StartedProject,
  type StartProject,
  SwitchyardError,
  sandboxImportedSchema,
  serverSchema,
  startedProjectSchema,
} from '@switchyard/contracts'
import { z } from 'zod'
import { sealSecret } from './seal-secret.ts'

/** Limits of a call and of an import, ms. */
const CALL_MS = 60_000
const IMPORT_MS = 5 * 60_000

const failureSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  retryable: z.boolean().optional(),
})

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code)

/**
 * Throws an error response as a SwitchyardError. A newer server may use codes that this version
 * does not know.
 */
const fail = (failure: z.infer<typeof failureSchema>): never => {
  const { code, message, hint, retryable } = failure
  throw new SwitchyardError(isErrorCode(code) ? code : 'internal_error', message, {
    ...(hint === undefined ? {} : { hint }),
    ...(retryable === undefined ? {} : { retryable }),
  })
}

const sandboxPath = (id: string, name: string): string =>
  `/project/${encodeURIComponent(id)}/sandbox/${encodeURIComponent(name)}`

const unreachable = (url: string, cause: unknown): SwitchyardError =>
  new SwitchyardError('worker_unavailable', `Switchyard does not answer at ${url}`, {
    hint: 'Start it (npm start, or docker compose up), or set its address with --url.',
    cause,
  })

export class SwitchyardClient {
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #client: Client

  private constructor(url: string, headers: Readonly<Record<string, string>>, client: Client) {
    this.#url = url
    this.#headers = headers
    this.#client = client
  }

  /**
   * Connects to a running Switchyard.
   *
   * @param key - an operator's token; undefined if the installation has no API keys
   * @throws SwitchyardError `worker_unavailable`, `unauthorized`
   */
  static async connect(url: string, key: string | undefined): Promise<SwitchyardClient> {
    const base = url.replace(/\/+$/, '')
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
    const health = await fetch(`${base}/project`, { headers, signal: AbortSignal.timeout(CALL_MS) }).catch(
      (error: unknown) => {
        throw unreachable(base, error)
      },
    )
    await health.body?.cancel()
    if (health.status === 401)
      throw new SwitchyardError('unauthorized', `${base} requires a valid API key`, {
        hint: "Set SWITCHYARD_API_KEY to an operator's token.",
      })
    const client = new Client({ name: 'switchyard-migrate', version: '0.1.0' })
    const endpoint = new URL(`${base}/mcp/projects`)
    await client
      .connect(new StreamableHTTPClientTransport(endpoint, { requestInit: { headers } }))
      .catch((error: unknown) => {
        throw unreachable(base, error)
      })
    return new SwitchyardClient(base, headers, client)
  }

  async close(): Promise<void> {
    await this.#client.close()
  }

  async #tool<T>(name: string, args: object, schema: z.ZodType<T>): Promise<T> {
    const call = this.#client.callTool({ name, arguments: { ...args } }, { timeout: CALL_MS })
    const result = await call.catch((error: unknown) => {
      throw unreachable(this.#url, error)
    })
    if (!result.isError) return schema.parse(result.structuredContent)
    const [first] = result.content
    const text = first?.type === 'text' ? first.text : ''
    const failure = failureSchema.safeParse(parseJson(text))
    return fail(failure.success ? failure.data : { code: 'internal_error', message: text })
  }

  async #rest(method: string, path: string, init: RequestInit = {}, limitMs = CALL_MS): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`, {
      ...init,
      method,
      headers: { ...this.#headers, ...init.headers },
      signal: AbortSignal.timeout(limitMs),
    }).catch((error: unknown) => {
      throw unreachable(this.#url, error)
    })
    const body = parseJson(await response.text())
    if (response.ok) return body
    const problem = problemSchema.partial().safeParse(body)
    const { code = 'internal_error', detail, hint, retryable } = problem.success ? problem.data : {}
    return fail({
      code,
      message: detail ?? `${method} ${path} failed with status ${response.status}`,
      ...(hint === undefined ? {} : { hint }),
      ...(retryable === undefined ? {} : { retryable }),
    })
  }

  #json(method: string, path: string, body: object): Promise<unknown> {
    return this.#rest(method, path, { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  }

  async projects(): Promise<readonly ProjectInfo[]> {
    return (await this.#tool('opencode_project_list', {}, z.object({ projects: z.array(projectInfoSchema) }))).projects
  }

  start(project: StartProject): Promise<StartedProject> {
    return this.#tool('opencode_project_start', project, startedProjectSchema)
  }

  project(id: string): Promise<ProjectInfo> {
    return this.#tool('opencode_project_status', { git_url: id }, projectInfoSchema)
  }

  /** @throws SwitchyardError `work_would_be_lost`, `project_busy`, `project_not_found` */
  async destroy(id: string): Promise<void> {
    await this.#tool('opencode_project_destroy', { git_url: id }, z.unknown())
  }

  /**
   * Sets the port of the project's dedicated server from its next start on. A container publishes
   * no port on the host.
   */
  async setPort(id: string, port: number): Promise<ServerInfo> {
    return serverSchema.parse(await this.#json('PUT', `/servers/${encodeURIComponent(id)}`, { port }))
  }

  /**
   * Sets the password of the project's dedicated server, which restarts. Sent sealed: only the
   * worker can read it.
   */
  async setPassword(id: string, password: string): Promise<void> {
    const path = `/servers/${encodeURIComponent(id)}/password`
    await this.#putSealed(path, path, password)
  }

  /**
   * Sets the project's deploy key. Sent sealed: only the worker can read it.
   *
   * @param privateKey - an ssh private key without a passphrase
   * @throws SwitchyardError `deploy_key_invalid`
   */
  async setKey(id: string, privateKey: string): Promise<void> {
    const path = `/project/${encodeURIComponent(id)}/key`
    await this.#putSealed(`${path}/seal`, path, privateKey)
  }

  async #putSealed(keyPath: string, path: string, secret: string): Promise<void> {
    const { public_key: key } = offeredKeySchema.parse(await this.#rest('GET', keyPath))
    await this.#json('PUT', path, { sealed: sealSecret(key, secret) })
  }

  async createSandbox(id: string, name: string, branch: string): Promise<void> {
    await this.#json('POST', `/project/${encodeURIComponent(id)}/sandbox`, { name, branch })
  }

  /**
   * Imports commits and changes into a sandbox.
   *
   * @param file - a bundle that `bundleHead` wrote
   * @throws SwitchyardError `bundle_incomplete` if Switchyard's clone lacks a commit that the
   *   bundle builds on
   */
  async importBundle(id: string, name: string, file: string): Promise<SandboxImported> {
    const init = { body: await openAsBlob(file), headers: { 'content-type': 'application/octet-stream' } }
    return sandboxImportedSchema.parse(await this.#rest('POST', `${sandboxPath(id, name)}/import`, init, IMPORT_MS))
  }

  /**
   * Deletes a sandbox that still is as it was imported.
   *
   * @throws SwitchyardError `work_would_be_lost` if it was changed since, or nothing was imported
   *   into it
   */
  async deleteImported(id: string, name: string): Promise<void> {
    await this.#rest('DELETE', `${sandboxPath(id, name)}?as_imported=true`)
  }

  /** @throws SwitchyardError `work_would_be_lost` */
  async deleteSandbox(id: string, name: string): Promise<void> {
    await this.#rest('DELETE', sandboxPath(id, name))
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
