// What a part of the benchmark works with, opened as it goes and closed in the reverse order.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startPostgres } from '@switchyard/embedded'
import { createDatabase, type OpenCodeProcess, startOpenCode } from '@switchyard/testing'
import { pino } from 'pino'
import { type Program, startProgram } from './program.ts'

export type Postgres = { readonly url: string; readonly close: () => Promise<void> }

/** Opens things and remembers to close them. */
export class Stage implements AsyncDisposable {
  readonly #closing: (() => Promise<unknown>)[] = []

  /** Keeps what was opened until the stage ends. */
  async keep<T extends { readonly close: () => Promise<unknown> }>(opened: Promise<T>): Promise<T> {
    const thing = await opened
    this.#closing.push(thing.close)
    return thing
  }

  onEnd(step: () => Promise<unknown>): void {
    this.#closing.push(step)
  }

  async directory(name: string): Promise<string> {
    const directory = await mkdtemp(path.join(tmpdir(), `switchyard-bench-${name}-`))
    // Open to pass through: as root, the database runs as another user.
    await chmod(directory, 0o711)
    this.onEnd(() => rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
    return directory
  }

  async database(server: Postgres): Promise<string> {
    const database = await createDatabase({ server: server.url })
    this.onEnd(database.drop)
    return database.url
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const step of this.#closing.splice(0).reverse()) await step()
  }
}

/** The PostgreSQL of `npm start`, for every part of the run. */
export const openPostgres = async (): Promise<Postgres> => {
  const stage = new Stage()
  const home = await stage.directory('postgres')
  const postgres = await startPostgres({ home, maxConnections: 150, logger: pino({ level: 'silent' }) })
  stage.onEnd(() => postgres.stop())
  return { url: postgres.url, close: () => stage[Symbol.asyncDispose]() }
}

const openModel = (): Promise<Program> =>
  startProgram('packages/testing/src/scripted-model-main.ts', ['--port', '0', '--host', '127.0.0.1'], {})

export type Bare = {
  readonly model: Program
  readonly opencode: OpenCodeProcess
}

/** OpenCode and the model, each a process of its own. */
export const openBare = async (stage: Stage): Promise<Bare> => {
  const model = await stage.keep(openModel())
  return { model, opencode: await stage.keep(startOpenCode({ modelUrl: model.url })) }
}

/** As `Bare`, with Switchyard on that same OpenCode server. */
export type Whole = Bare & { readonly switchyard: Program }

/** Switchyard is what `npm start` starts: api and worker in one process. */
export const openWhole = async (stage: Stage, postgres: Postgres, concurrency: number): Promise<Whole> => {
  const home = await stage.directory('home')
  const bare = await openBare(stage)
  const switchyard = await stage.keep(
    startProgram('services/embedded/src/main.ts', [], {
      HOME: home,
      PORT: '0',
      SWITCHYARD_HOME: home,
      DATABASE_URL: await stage.database(postgres),
      OPENCODE_SERVER_URL: bare.opencode.url,
      OPENCODE_SERVER_PASSWORD: bare.opencode.password,
      MAX_CONCURRENT_TASKS: String(concurrency),
    }),
  )
  return { ...bare, switchyard }
}
