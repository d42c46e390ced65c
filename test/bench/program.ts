// Runs a program as a separate process, so that it does not share the CPU time of the benchmark.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export type Program = {
  /** The address that it printed. */
  readonly url: string
  readonly pid: number
  /** Sends SIGTERM, and SIGKILL after 20 s. */
  readonly close: () => Promise<void>
}

const START_MS = 40_000
const STOP_MS = 20_000
const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Starts `node <file>`. Resolves when it prints its address.
 *
 * @param file - relative to the repository's root
 * @param env - its environment variables besides PATH
 * @throws Error with its output if it exits, or prints no address within 40 s
 */
export const startProgram = async (
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Program> => {
  const child = spawn(process.execPath, [file, ...args], {
    cwd: REPOSITORY,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const close = () => stop(child)
  try {
    return { url: await listening(child, file), pid: child.pid ?? 0, close }
  } catch (error) {
    await close()
    throw error
  }
}

const listening = (child: ChildProcess, file: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let output = ''
    const timer = setTimeout(() => reject(new Error(`${file} did not start in ${START_MS} ms: ${output}`)), START_MS)
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      finish()
    }
    // Keep reading: a full pipe would block the program.
    const read = (data: Buffer) => {
      output = `${output}${data}`.slice(-4_000)
    }
    child.stderr?.on('data', read)
    child.stdout?.on('data', (data: Buffer) => {
      read(data)
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(String(data))?.[0]
      if (url !== undefined) settle(() => resolve(url))
    })
    child.once('error', (error) => settle(() => reject(error)))
    child.once('exit', (code) => settle(() => reject(new Error(`${file} exited with ${code}: ${output}`))))
  })

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(timer)
}
