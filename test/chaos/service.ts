// One Switchyard service as a process: started, signalled, stopped by its pid; its log is kept to find causes.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export type Service = {
  readonly name: string
  readonly pid: number
  /** What the log line that says it is ready holds; rejects where the process ends before. */
  readonly ready: Promise<Readonly<Record<string, unknown>>>
  readonly isAlive: () => boolean
  readonly signal: (name: NodeJS.Signals) => void
  readonly exited: Promise<void>
  /** SIGTERM, then SIGKILL where it takes longer than this. @returns milliseconds that it took. */
  readonly stop: (limitMs?: number) => Promise<number>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
}

export type ServiceOptions = {
  readonly name: string
  readonly main: 'services/api/src/main.ts' | 'services/worker/src/main.ts' | 'services/notifier/src/main.ts'
  readonly env: Readonly<Record<string, string>>
  readonly logFile: string
  /** The message of the log line that says it is ready. */
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

export const startService = (options: ServiceOptions): Service => {
  const main = fileURLToPath(new URL(`../../${options.main}`, import.meta.url))
  const child: ChildProcess = spawn(process.execPath, [main], {
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid, stdout, stderr } = child
  if (pid === undefined || stdout === null || stderr === null) throw new Error(`${options.name} could not be started`)
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
    log.end(`${options.name} ended: ${code ?? name}\n`)
    ready.reject(new Error(`${options.name} ended (${code ?? name}); its log is ${options.logFile}`))
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
