// Creates directory trees of the older manager, with real clones, for the tests.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type Files = Readonly<Record<string, string | object>>

export const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nnot a real one\n-----END OPENSSH PRIVATE KEY-----\n'

/**
 * Returns an entry of the state file in version 1.1; with `mcp_tool` in `more` it is version 1.0.
 */
export const v1 = (name: string, gitUrl: string | null, more: object = {}) => ({
  project_name: name,
  sandbox_dir: `opencode-sandboxes/${name}`,
  git_url: gitUrl,
  ssh_key_path: null,
  opencode: { pid: null, port: 4101, status: 'stopped', started_at: null, last_error: null },
  created_at: '2026-01-28T10:30:00.000000',
  last_health_check: null,
  ...more,
})

/** Returns the `opencode` part of an entry. */
export const server = (port: number, status = 'stopped', pid: number | null = null) => ({
  opencode: { pid, port, status, started_at: null, last_error: null },
})

/** Returns an entry of the state file in version 2. */
export const v2 = (gitUrl: string, baseDir: string, more: object = {}) => ({
  git_url: gitUrl,
  project_id: null,
  base_dir: baseDir,
  project_name: 'user-app',
  worktrees: [],
  ssh_key_path: null,
  ...server(4137),
  created_at: '2026-02-11T09:00:00+00:00',
  last_health_check: null,
  sandbox_dir: baseDir,
  ...more,
})

export const git = async (directory: string, ...args: string[]): Promise<string> =>
  (await run('git', ['-c', 'user.name=T', '-c', 'user.email=t@t', ...args], { cwd: directory })).stdout.trimEnd()

export class LegacyTreeFixture {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  static async create(): Promise<LegacyTreeFixture> {
    const fixture = new LegacyTreeFixture(await mkdtemp(path.join(tmpdir(), 'switchyard-legacy-')))
    await mkdir(fixture.memory)
    return fixture
  }

  /** The older manager's directory. Remotes and everything outside its tree are next to it. */
  get memory(): string {
    return this.at('memory')
  }

  at(...names: string[]): string {
    return path.join(this.directory, ...names)
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }

  /** Writes files by their path below `below`; an object becomes JSON. */
  async write(files: Files, below = this.memory): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(below, name)
      await mkdir(path.dirname(file), { recursive: true })
      await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
      await chmod(file, 0o600)
    }
  }

  async commit(directory: string, files: Files, message = 'a change'): Promise<string> {
    await this.write(files, directory)
    await git(directory, 'add', '-A')
    await git(directory, 'commit', '-qm', message)
    return await git(directory, 'rev-parse', 'HEAD')
  }

  /** Creates a repository to clone from. Its path is its URL. */
  async remote(name: string): Promise<string> {
    const directory = this.at('remotes', name)
    await mkdir(directory, { recursive: true })
    await git(directory, 'init', '-q', '-b', 'main')
    await this.commit(directory, { 'README.md': `${name}\n`, 'src/a.txt': 'one\n' }, 'begin')
    return directory
  }

  /** @param target - relative to the older manager's directory, or absolute */
  async clone(url: string, target: string): Promise<string> {
    const directory = path.resolve(this.memory, target)
    await mkdir(path.dirname(directory), { recursive: true })
    await git(this.directory, 'clone', '-q', url, directory)
    return directory
  }

  /**
   * Returns a hash of every name, time, mode and content of a tree, to check that a migration
   * changed nothing.
   */
  async fingerprint(directory = this.memory): Promise<string> {
    const hash = createHash('sha256')
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    const files = entries.map((entry) => path.join(entry.parentPath, entry.name)).toSorted()
    for (const file of files) {
      const found = await lstat(file)
      hash.update(`${file} ${found.mtimeMs} ${found.mode} ${found.size}\n`)
      if (found.isFile()) hash.update(await readFile(file))
    }
    return hash.digest('hex')
  }
}
