// Makes trees as the older manager leaves them, with real clones in them, for the tests.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type Files = Readonly<Record<string, string | object>>

export const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nnot a real one\n-----END OPENSSH PRIVATE KEY-----\n'

/** An entry of the state by name, as versions 1.0 (with `mcp_tool`) and 1.1 wrote it. */
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

/** The `opencode` part of an entry. */
export const server = (port: number, status = 'stopped', pid: number | null = null) => ({
  opencode: { pid, port, status, started_at: null, last_error: null },
})

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

  /** The older manager's directory; beside it are remotes and whatever is not in the tree. */
  get memory(): string {
    return this.at('memory')
  }

  at(...names: string[]): string {
    return path.join(this.directory, ...names)
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }

  /** Objects are written as JSON. Names are from the tree. */
  async write(files: Files, below = this.memory): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const place = path.join(below, name)
      await mkdir(path.dirname(place), { recursive: true })
      await writeFile(place, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
      await chmod(place, 0o600)
    }
  }

  async commit(directory: string, files: Files, message = 'a change'): Promise<string> {
    await this.write(files, directory)
    await git(directory, 'add', '-A')
    await git(directory, 'commit', '-qm', message)
    return await git(directory, 'rev-parse', 'HEAD')
  }

  /** A repository to clone from: its path is its URL. */
  async remote(name: string): Promise<string> {
    const place = this.at('remotes', name)
    await mkdir(place, { recursive: true })
    await git(place, 'init', '-q', '-b', 'main')
    await this.commit(place, { 'README.md': `${name}\n`, 'src/a.txt': 'one\n' }, 'begin')
    return place
  }

  /** @param place - in the tree, or absolute */
  async clone(url: string, place: string): Promise<string> {
    const directory = path.resolve(this.memory, place)
    await mkdir(path.dirname(directory), { recursive: true })
    await git(this.directory, 'clone', '-q', url, directory)
    return directory
  }

  /** Every name, time and content of the tree: what a migration must leave as it is. */
  async fingerprint(directory = this.memory): Promise<string> {
    const hash = createHash('sha256')
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    const places = entries.map((entry) => path.join(entry.parentPath, entry.name)).toSorted()
    for (const place of places) {
      const found = await lstat(place)
      hash.update(`${place} ${found.mtimeMs} ${found.mode} ${found.size}\n`)
      if (found.isFile()) hash.update(await readFile(place))
    }
    return hash.digest('hex')
  }
}
