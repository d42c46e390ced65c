import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { lockHome } from '../system/home-lock.ts'
import { commandLine, isAlive } from '../system/processes.ts'
import { type Postgres, startPostgres } from './postgres.ts'

const FIXTURE = fileURLToPath(new URL('./postgres-process.fixture.ts', import.meta.url))
const isRoot = process.getuid?.() === 0
const logger = pino({ level: 'silent' })
const WITHIN = { timeout: 15_000, interval: 20 }

const query = async (url: string, sql: string): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

const mount = (directory: string, megabytes: number) =>
  execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0711`, 'none', directory], {
    stdio: 'pipe',
  })

/** Returns whether this user may mount; root in most containers may not. */
const canMount = (): boolean => {
  if (!isRoot || process.platform !== 'linux') return false
  const directory = mkdtempSync(path.join(tmpdir(), 'switchyard-mount-'))
  try {
    mount(directory, 1)
    execFileSync('/bin/umount', [directory])
    return true
  } catch {
    return false
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const isServing = async (pid: number): Promise<boolean> =>
  isAlive(pid) && (await commandLine(pid)).some((part) => part.endsWith('postgres'))

describe('startPostgres', () => {
  let parent: string
  let home: string
  const started: Postgres[] = []
  const children: ChildProcess[] = []

  beforeEach(() => {
    parent = mkdtempSync(path.join(tmpdir(), 'switchyard-postgres-'))
    chmodSync(parent, 0o711)
    home = path.join(parent, 'home')
    mkdirSync(home)
  })

  afterEach(async () => {
    for (const postgres of started.splice(0)) await postgres.stop()
    for (const child of children.splice(0)) {
      child.kill('SIGTERM')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    const pointer = path.join(home, 'postgres', 'location')
    if (existsSync(pointer)) rmSync(readFileSync(pointer, 'utf8').trim(), { recursive: true, force: true })
    rmSync(parent, { recursive: true, force: true })
  })

  /** Whether initdb has begun to write the data directory. */
  const isInitializing = () =>
    existsSync(path.join(home, 'postgres')) &&
    readdirSync(path.join(home, 'postgres')).some(
      (name) => name.startsWith('initdb-') && existsSync(path.join(home, 'postgres', name, 'base')),
    )

  const start = async (options: { onFailed?: () => void } = {}): Promise<Postgres> => {
    const postgres = await startPostgres({ home, logger, ...options })
    started.push(postgres)
    return postgres
  }

  const startElsewhere = async (as?: { uid: number; gid: number }) => {
    const child = spawn(process.execPath, [FIXTURE, home], { ...as, stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    const [line] = await once(createInterface({ input: child.stdout }), 'line')
    return { child, ...(JSON.parse(line) as { url: string; pid: number; code?: string; message?: string }) }
  }

  it('creates a durable database on the first start and opens it on the second', async () => {
    const first = await start()
    expect(first.isNew).toBe(true)
    expect(await query(first.url, 'show fsync')).toEqual([{ fsync: 'on' }])
    expect(await query(first.url, 'show synchronous_commit')).toEqual([{ synchronous_commit: 'on' }])
    await query(first.url, 'create table kept as select 1 as n')
    const { pid } = first
    await first.stop()
    expect(isAlive(pid())).toBe(false)
    const second = await start()
    expect(second.isNew).toBe(false)
    expect(await query(second.url, 'select n from kept')).toEqual([{ n: 1 }])
  })

  it('requires the password, which is in no argument list and no readable file', async () => {
    const postgres = await start()
    const { password } = new URL(postgres.url)
    await expect(query(postgres.url.replace(password, 'wrong'), 'select 1')).rejects.toThrow(/password/)
    expect((await commandLine(postgres.pid())).join(' ')).not.toContain(password)
    expect(statSync(path.join(postgres.dataDirectory, '..', 'password')).mode & 0o777).toBe(0o600)
    expect(readdirSync(path.join(postgres.dataDirectory, '..')).filter((name) => name.startsWith('initdb-'))).toEqual(
      [],
    )
  })

  it('restarts on the same port when the server is killed', async () => {
    const postgres = await start()
    await query(postgres.url, 'create table kept as select 1 as n')
    const before = postgres.pid()
    process.kill(before, 'SIGKILL')
    await vi.waitFor(async () => expect(await query(postgres.url, 'select n from kept')).toEqual([{ n: 1 }]), WITHIN)
    expect(postgres.pid()).not.toBe(before)
  })

  it('reports a server that cannot be restarted', async () => {
    const onFailed = vi.fn()
    const postgres = await start({ onFailed })
    writeFileSync(path.join(postgres.dataDirectory, 'postgresql.conf'), 'no_such_setting = on\n')
    process.kill(postgres.pid(), 'SIGKILL')
    await vi.waitFor(() => expect(onFailed).toHaveBeenCalledOnce(), WITHIN)
    expect(onFailed.mock.calls[0]?.[0]).toMatchObject({
      code: 'database_unavailable',
      message: expect.stringContaining('no_such_setting'),
    })
  })

  it('can be stopped while it restarts', async () => {
    const postgres = await start()
    const pid = postgres.pid()
    process.kill(pid, 'SIGKILL')
    await postgres.stop()
    const pidFile = path.join(postgres.dataDirectory, 'postmaster.pid')
    const left = existsSync(pidFile) ? Number.parseInt(readFileSync(pidFile, 'utf8'), 10) : pid
    expect(await isServing(left)).toBe(false)
  })

  it('stops when its process is killed, and starts again on the same data', async () => {
    const { child, url, pid } = await startElsewhere()
    await query(url, 'create table kept as select 1 as n')
    child.kill('SIGKILL')
    await vi.waitFor(async () => expect(await isServing(pid)).toBe(false), WITHIN)
    const postgres = await start()
    expect(await query(postgres.url, 'select n from kept')).toEqual([{ n: 1 }])
  })

  it.runIf(process.platform === 'linux')('stops a leftover server before it starts its own', async () => {
    const { child, url, pid } = await startElsewhere()
    await query(url, 'create table kept as select 1 as n')
    const guard = await guardOf(pid)
    process.kill(guard, 'SIGKILL')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await isServing(pid)).toBe(true)
    const postgres = await start()
    expect(await isServing(pid)).toBe(false)
    expect(await query(postgres.url, 'select n from kept')).toEqual([{ n: 1 }])
  })

  it('starts despite a pid file whose pid belongs to another process now', async () => {
    const first = await start()
    const pidFile = path.join(first.dataDirectory, 'postmaster.pid')
    const content = readFileSync(pidFile, 'utf8')
    await first.stop()
    const stranger = spawn('sleep', ['60'], isRoot ? { uid: statSync(first.dataDirectory).uid } : {})
    try {
      writeFileSync(pidFile, content.replace(/^\d+/, String(stranger.pid)))
      const second = await start()
      expect(second.isNew).toBe(false)
      expect(isAlive(stranger.pid ?? 0)).toBe(true)
    } finally {
      stranger.kill('SIGKILL')
    }
  })

  it('runs initdb again if it was interrupted', async () => {
    mkdirSync(path.join(home, 'postgres', 'initdb-1234abcd', 'base'), { recursive: true })
    writeFileSync(path.join(home, 'postgres', 'initdb-1234abcd.pw'), 'secret')
    const postgres = await start()
    expect(postgres.isNew).toBe(true)
    expect(readdirSync(path.join(home, 'postgres')).sort()).toEqual(['data', 'password'])
  })

  it('leaves no process behind when it is aborted or killed during initdb, and starts again', async () => {
    const aborting = new AbortController()
    const aborted = startPostgres({ home, logger, signal: aborting.signal })
    aborted.catch(() => {})
    await vi.waitFor(() => expect(isInitializing()).toBe(true), WITHIN)
    aborting.abort()
    await expect(aborted).rejects.toThrow(/aborted/)
    expect(await processesOf(home)).toEqual([])

    const child = spawn(process.execPath, [FIXTURE, home], { stdio: 'ignore' })
    await vi.waitFor(() => expect(isInitializing()).toBe(true), WITHIN)
    child.kill('SIGKILL')
    await vi.waitFor(async () => expect(await processesOf(home)).toEqual([]), WITHIN)
    expect((await start()).isNew).toBe(true)
  })

  it('refuses data of another PostgreSQL version and does not change it', async () => {
    const first = await start()
    await first.stop()
    writeFileSync(path.join(first.dataDirectory, 'PG_VERSION'), '15\n')
    await expect(start()).rejects.toMatchObject({
      code: 'database_unavailable',
      retryable: false,
      message: expect.stringContaining('PostgreSQL 15, but this is PostgreSQL 18'),
    })
  })

  it('works if the path of the home is longer than the path of a socket may be', async () => {
    home = path.join(parent, 'x'.repeat(120), 'home')
    mkdirSync(home, { recursive: true })
    await start()
  })

  it('reports a home that is not writable', async () => {
    writeFileSync(path.join(home, 'postgres'), 'a file instead of a directory')
    await expect(start()).rejects.toMatchObject({ code: 'directory_unwritable' })
  })

  it.runIf(canMount())('reports a full disk, and starts when there is space again', async () => {
    mount(home, 8)
    try {
      await expect(start()).rejects.toMatchObject({ code: 'disk_full' })
      execFileSync('/bin/mount', ['-o', 'remount,size=200m', home])
      const postgres = await start()
      expect(postgres.isNew).toBe(true)
      await postgres.stop()
    } finally {
      execFileSync('/bin/umount', [home])
    }
  })

  it.runIf(isRoot)('works for root with a home that no other user can reach, without changing its mode', async () => {
    chmodSync(parent, 0o700)
    const first = await start()
    expect(first.dataDirectory.startsWith(parent)).toBe(false)
    expect(statSync(parent).mode & 0o777).toBe(0o700)
    await query(first.url, 'create table kept as select 1 as n')
    await first.stop()
    const second = await start()
    expect(await query(second.url, 'select n from kept')).toEqual([{ n: 1 }])
  })

  it.runIf(isRoot)('does not replace a missing database outside the home with an empty one', async () => {
    chmodSync(parent, 0o700)
    const first = await start()
    await first.stop()
    rmSync(path.dirname(first.dataDirectory), { recursive: true })
    await expect(start()).rejects.toMatchObject({ code: 'database_unavailable', retryable: false })
  })

  it.runIf(isRoot)('works for another user than root, and refuses a second user the same home', async () => {
    rmSync(home, { recursive: true })
    chmodSync(parent, 0o777)
    const { child, url } = await startElsewhere({ uid: 65_534, gid: 65_534 })
    expect(await query(url, 'select 1 as n')).toEqual([{ n: 1 }])
    child.kill('SIGTERM')
    await once(child, 'exit')
    await expect(lockHome(home).then((lock) => lock.release())).resolves.toBeUndefined()
    chmodSync(home, 0o777)
    const other = await startElsewhere({ uid: 1, gid: 1 })
    expect(other.code).toBe('directory_unwritable')
  })
})

/** Returns the pids of the processes with the home in their arguments. */
const processesOf = async (home: string): Promise<readonly number[]> => {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  const found = await Promise.all(pids.map(async (pid) => (await commandLine(pid)).join(' ').includes(home)))
  return pids.filter((_, index) => found[index])
}

/** Finds the guard: the shell with the server's pid in its arguments. */
const guardOf = async (pid: number): Promise<number> => {
  for (const name of readdirSync('/proc')) {
    const candidate = Number(name)
    if (!Number.isInteger(candidate)) continue
    const args = await commandLine(candidate)
    if (args.includes('switchyard-guard') && args.includes(String(pid))) return candidate
  }
  throw new Error(`no guard of ${pid}`)
}
