// Runs one Switchyard service as a process, and writes its log to a file.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export type Service = {
  readonly name: string
  readonly pid: number
  /**
   * Resolves with the fields of the log line `readyMessage`; rejects if the process exits before
   * it.
   */
  readonly ready: Promise<Readonly<Record<string, unknown>>>
  readonly isAlive: () => boolean
  readonly signal: (name: NodeJS.Signals) => void
  readonly exited: Promise<void>
  /**
   * Sends SIGTERM, and SIGKILL after `limitMs` (default 20 s). Returns the milliseconds until it
   * exited.
   */
  readonly stop: (limitMs?: number) => Promise<number>
  /** Sends SIGKILL. Resolves when the process has exited. */
  readonly kill: () => Promise<void>
}

export type ServiceOptions = {
  readonly name: string
  readonly main: 'services/api/src/main.ts' | 'services/worker/src/main.ts' | 'services/notifier/src/main.ts'
  readonly env: Readonly<Record<string, string>>
  readonly logFile: string
  /** The message of the log line that reports readiness. */
  readonly readyMessage: string
}

const STOP_MS = 20_000

const parseLine = (line: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** Starts a service. `ready` of the result resolves when it can work. */
export const startService = (options: ServiceOptions): Service => {
  const main = fileURLToPath(new URL(`../../${options.main}`, import.meta.url))
  const child: ChildProcess = spawn(process.execPath, [main], {
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid, stdout, stderr } = child
  if (pid === undefined || stdout === null || stderr === null) throw new Error(`${options.name} could not start`)
  const log = createWriteStream(options.logFile, { flags: 'a' })
  const ready = Promise.withResolvers<Readonly<Record<string, unknown>>>()
  ready.promise.catch(() => undefined)
  stderr.pipe(log, { end: false })
  createInterface({ input: stdout }).on('line', (line) => {
    log.write(`${line}\n`)
    const entry = parseLine(line)
    if (entry.msg === options.readyMessage) ready.resolve(entry)
  })
  const exited = once(child, 'exit').then(([code, name]) => {
    log.end(`${options.name} exited: ${code ?? name}\n`)
    ready.reject(new Error(`${options.name} exited (${code ?? name}); its log is ${options.logFile}`))
  })
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null
  const kill = async (): Promise<void> => {
    if (isAlive()) child.kill('SIGKILL')
    await exited
  }
  return {
    name: options.name,
    pid,
    ready: ready.promise,
    isAlive,
    signal: (name) => void child.kill(name),
    exited,
    kill,
    stop: async (limitMs = STOP_MS) => {
      const began = Date.now()
      if (!isAlive()) return 0
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      const limit = new AbortController()
      await Promise.race([exited, delay(limitMs, undefined, { signal: limit.signal }).catch(() => undefined)])
      limit.abort()
      await kill()
      return Date.now() - began
    },
  }
}
