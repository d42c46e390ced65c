// Starts the systems that the benchmark measures, and closes them in reverse order.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startPostgres } from '@switchyard/embedded'
import { createDatabase, type OpenCodeProcess, startOpenCode } from '@switchyard/testing'
import { pino } from 'pino'
import { type Program, startProgram } from './program.ts'

export type Postgres = { readonly url: string; readonly close: () => Promise<void> }

/** Collects resources and closes them in reverse order. */
export class Resources implements AsyncDisposable {
  readonly #closing: (() => Promise<unknown>)[] = []

  /** Adds a resource. Returns it when it is open. */
  async add<T extends { readonly close: () => Promise<unknown> }>(opening: Promise<T>): Promise<T> {
    const resource = await opening
    this.#closing.push(resource.close)
    return resource
  }

  onClose(step: () => Promise<unknown>): void {
    this.#closing.push(step)
  }

  /** Creates a temporary directory. */
  async directory(name: string): Promise<string> {
    const directory = await mkdtemp(path.join(tmpdir(), `switchyard-bench-${name}-`))
    // As root, the database runs as another user, who must be able to enter the directory.
    await chmod(directory, 0o711)
    this.onClose(() => rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
    return directory
  }

  /** Creates a database with the current schema and returns its URL. */
  async database(server: Postgres): Promise<string> {
    const database = await createDatabase({ server: server.url })
    this.onClose(database.drop)
    return database.url
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const step of this.#closing.splice(0).reverse()) await step()
  }
}

/** Starts the PostgreSQL server of `npm start`, which all parts of a run share. */
export const openPostgres = async (): Promise<Postgres> => {
  const resources = new Resources()
  const home = await resources.directory('postgres')
  const postgres = await startPostgres({ home, maxConnections: 150, logger: pino({ level: 'silent' }) })
  resources.onClose(() => postgres.stop())
  return { url: postgres.url, close: () => resources[Symbol.asyncDispose]() }
}

const startModel = (): Promise<Program> =>
  startProgram('packages/testing/src/scripted-model-main.ts', ['--port', '0', '--host', '127.0.0.1'], {})

export type BareSystem = {
  readonly model: Program
  readonly opencode: OpenCodeProcess
}

/** Starts OpenCode and the model as separate processes. */
export const startBareSystem = async (resources: Resources): Promise<BareSystem> => {
  const model = await resources.add(startModel())
  return { model, opencode: await resources.add(startOpenCode({ modelUrl: model.url })) }
}

/** A bare system, and Switchyard on its OpenCode server. */
export type SwitchyardSystem = BareSystem & { readonly switchyard: Program }

/**
 * Starts Switchyard as `npm start` does: api and worker in one process.
 *
 * @param concurrency - MAX_CONCURRENT_TASKS
 */
export const startSwitchyardSystem = async (
  resources: Resources,
  postgres: Postgres,
  concurrency: number,
): Promise<SwitchyardSystem> => {
  const home = await resources.directory('home')
  const bare = await startBareSystem(resources)
  const switchyard = await resources.add(
    startProgram('services/embedded/src/main.ts', [], {
      HOME: home,
      PORT: '0',
      SWITCHYARD_HOME: home,
      DATABASE_URL: await resources.database(postgres),
      OPENCODE_SERVER_URL: bare.opencode.url,
      OPENCODE_SERVER_PASSWORD: bare.opencode.password,
      MAX_CONCURRENT_TASKS: String(concurrency),
    }),
  )
  return { ...bare, switchyard }
}
