import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../run.ts'
import { git, KEY, LegacyTreeFixture, server, v1, v2 } from './legacy-tree.fixture.ts'

const keygen = promisify(execFile)

type Planned = { readonly name: string; readonly gitUrl: string; readonly sshKey: object | null }

const URL = 'git@github.com:user/blog-api.git'

let tree: LegacyTreeFixture

const call = async (...args: string[]) => {
  let [out, err] = ['', '']
  const code = await run(['migrate', '--from', tree.memory, ...args], {
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
    env: {},
  })
  return { code, out, err }
}

const plan = async (...args: string[]) => JSON.parse((await call('--json', ...args)).out)
const messages = (found: { findings: { where: string; message: string; kind: string }[] }, kind?: string) =>
  found.findings
    .filter((finding) => kind === undefined || finding.kind === kind)
    .map(({ where, message }) => `${where}: ${message}`)
    .join('\n')

beforeEach(async () => {
  tree = await LegacyTreeFixture.create()
})

afterEach(async () => {
  await tree.remove()
})

describe('switchyard migrate, without --execute', () => {
  it('reads version 1.0, which has a tool and a folder per project name', async () => {
    await tree.write({
      'opencode-state.json': {
        projects: {
          'blog-api': v1('blog-api', URL, {
            ...server(4101, 'running', 12_345),
            mcp_tool: { pid: 12_346, port: 5101 },
          }),
          'blog-api-dev': v1('blog-api-dev', 'https://github.com/user/blog-api', {
            ...server(4102),
            mcp_tool: { pid: null, port: 5102 },
          }),
        },
      },
      'opencode-sandboxes/blog-api/.env':
        'OPENCODE_SERVER_PASSWORD=example-password\nMCP_TOOL_BEARER_TOKEN=example-token\n',
      'opencode-keys/blog-api-deploy': KEY,
    })
    expect(await plan()).toMatchObject({
      projects: [
        {
          key: 'github.com/user/blog-api',
          entries: ['blog-api', 'blog-api-dev'],
          port: 4101,
          password: '[kept]',
          sshKey: { isHandedOver: true },
        },
      ],
      ports: [{ port: 4102, name: 'blog-api-dev' }],
    })
  })

  it('reads version 1.1, which has one password for all servers and a server list', async () => {
    await tree.write({
      'opencode-state.json': {
        projects: { 'blog-api': v1('blog-api', URL) },
        global_mcp_tool: { pid: 22_346, port: 3005, status: 'running' },
      },
      'opencode-mcp-tool-servers.json': {
        version: '1.0',
        servers: [{ id: 'blog-api', url: 'http://127.0.0.1:4101', password: 'example-password', status: 'active' }],
        default_server: 'blog-api',
      },
      'opencode-manager.env': 'OPENCODE_PASSWORD=another-password\nMCP_BEARER_TOKEN=CHANGE_ME_REQUIRED\n',
    })
    const found = await plan()
    expect(found.projects).toMatchObject([{ entries: ['blog-api'], port: 4101, password: '[kept]' }])
    expect(messages(found)).toMatch(/MCP_BEARER_TOKEN is a placeholder/)
    expect(messages(found)).toMatch(/blog-api: was the default server/)
  })

  it('reads version 2 with its server list, and skips other backends', async () => {
    await tree.write({
      'opencode-state.json': { projects: { [URL]: v2(URL, 'checkouts/blog', { worktrees: ['gone'] }) } },
      'opencode-mcp-tool-servers.json': {
        version: '2.0',
        _comment: 'one entry a repository',
        servers: [
          {
            id: URL,
            backend_type: 'opencode',
            url: 'http://127.0.0.1:4137',
            password: 'example-password',
            model: 'anthropic/x',
          },
          { id: 'claude-main', backend_type: 'claude_code', working_dir: 'checkouts/other', model: 'sonnet' },
        ],
        default_server: null,
      },
    })
    const found = await plan()
    expect(found.projects).toMatchObject([{ port: 4137, password: '[kept]', model: 'anthropic/x', name: 'user-app' }])
    expect(found.skipped).toMatchObject([{ name: 'claude-main' }])
    expect(messages(found)).toMatch(/worktree gone does not exist/)
  })

  it('merges a state by name with a server list by repository', async () => {
    await tree.write({
      'opencode-state.json': {
        projects: { 'Blog-API': v1('Blog-API', 'https://github.com/User/Blog-API', server(4137)) },
      },
      'opencode-mcp-tool-servers.json': {
        version: '1.0',
        servers: [
          {
            id: URL,
            project_name: 'user-blog-api',
            base_dir: 'x',
            url: 'http://127.0.0.1:4137',
            password: 'example-password',
          },
        ],
      },
    })
    const found = await plan()
    expect(found.projects).toHaveLength(1)
    expect(found.projects[0]).toMatchObject({ entries: ['Blog-API'], port: 4137, password: '[kept]' })
  })

  it('plans one project for two clones, with a sandbox for each that has work and the one with most work as the base', async () => {
    const remote = await tree.remote('blog')
    const first = await tree.clone(remote, 'opencode-sandboxes/blog/repo')
    const second = await tree.clone(remote, 'opencode-sandboxes/Blog Dev/repo')
    await tree.commit(second, { 'b.txt': 'b' })
    await tree.write({ 'c.txt': 'c', 'd.txt': 'd' }, second)
    await git(first, 'worktree', 'add', '-q', '-b', 'feature', tree.at('memory/worktrees/feature'))
    await tree.write({
      'opencode-state.json': {
        projects: {
          blog: v1('blog', remote, server(4101)),
          'Blog Dev': v1('Blog Dev', remote, server(4102)),
        },
      },
    })
    const before = await tree.fingerprint()
    const found = await plan()
    expect(found.projects).toMatchObject([
      {
        key: remote,
        entries: ['Blog Dev', 'blog'],
        baseDir: null,
        sandboxes: [
          { name: 'blog-dev', branch: 'migrated/blog-dev', why: 'work in the first clone', unpushed: 1, changed: 2 },
          { name: 'blog', why: 'another clone', unpushed: 0, changed: 0 },
          { name: 'feature', why: 'a worktree', formerBranch: 'feature' },
        ],
      },
    ])
    expect(await tree.fingerprint()).toBe(before)
  })

  it("continues in an operator's own checkout unless --managed is set", async () => {
    const remote = await tree.remote('blog')
    const own = await tree.clone(remote, tree.at('own'))
    await tree.write({ 'new.txt': 'new' }, own)
    await tree.write({ 'opencode-state.json': { projects: { [remote]: v2(remote, own) } } })
    expect((await plan()).projects).toMatchObject([{ baseDir: own, sandboxes: [] }])
    expect((await plan('--managed')).projects).toMatchObject([{ baseDir: null, sandboxes: [{ changed: 1 }] }])
  })

  it('assigns a clone to the repository that its remote names, and drops passwords in URLs', async () => {
    const remote = await tree.remote('blog')
    const clone = await tree.clone(remote, 'opencode-sandboxes/blog/repo')
    await git(clone, 'remote', 'set-url', 'origin', 'https://me:s3cret@github.com/other/fork.git')
    await tree.write({ 'opencode-state.json': { projects: { blog: v1('blog', URL) } } })
    const { out } = await call()
    expect(out).toContain('github.com/other/fork  (blog)')
    expect(out).toMatch(/remote was changed to https:\/\/github.com\/other\/fork.git/)
    expect(out).not.toContain('s3cret')
  })

  it('reports what it does not migrate: stashes, other branches and damaged clones', async () => {
    const remote = await tree.remote('blog')
    const clone = await tree.clone(remote, 'opencode-sandboxes/a/repo')
    await tree.write({ 'README.md': 'stashed' }, clone)
    await git(clone, 'stash', '-q')
    await git(clone, 'checkout', '-qb', 'mine')
    await tree.commit(clone, { 'x.txt': 'x' })
    await git(clone, 'checkout', '-q', 'main')
    const damaged = await tree.clone(remote, 'opencode-sandboxes/b/repo')
    await tree.write({ '.git/HEAD': 'ref: refs/heads/none\n' }, damaged)
    await tree.write({
      'opencode-state.json': { projects: { a: v1('a', remote), b: v1('b', remote, server(4102)) } },
    })
    const found = await plan()
    expect(messages(found, 'warning')).toMatch(/a: 1 stash is saved in the backup's bundle only/)
    expect(messages(found, 'warning')).toMatch(/unpushed commits are saved in the backup's bundle only: mine/)
    expect(messages(found, 'problem')).toMatch(/has no commit to start from/)
  })

  it('reads the intact entries of a state that is cut off, and reports the others', async () => {
    const whole = JSON.stringify({
      projects: { a: v1('a', URL), b: v1('b', 'git@github.com:user/other.git', server(4102)) },
    })
    await tree.write({ 'opencode-state.json': whole.slice(0, whole.indexOf('user/other') + 6) })
    const found = await plan()
    expect(found.projects).toMatchObject([{ key: 'github.com/user/blog-api' }])
    expect(messages(found, 'problem')).toMatch(/opencode-state.json: is cut off in line 1/)
    expect(messages(found, 'problem')).toMatch(/b: is incomplete/)
    expect(messages(found, 'problem')).not.toMatch(/ a: is incomplete/)
    expect(found.skipped).toMatchObject([{ name: 'b' }])
  })

  it.each(['', '[]', 'null', '{"projects": 5}', '{', '\u0000'])('reports a state of %j as unreadable', async (text) => {
    await tree.write({ 'opencode-state.json': text, 'opencode-mcp-tool-servers.json': text })
    const found = await plan()
    expect(found.projects).toEqual([])
    expect(messages(found, 'problem')).toMatch(/opencode-state.json/)
    expect(messages(found, 'problem')).toMatch(/opencode-mcp-tool-servers.json/)
  })

  it('reads entries with missing fields and reports invalid values', async () => {
    await tree.write({
      'opencode-state.json': {
        projects: { a: { git_url: URL, opencode: { port: 'x', pid: -1 } }, b: null, c: {}, d: { git_url: 'no url' } },
      },
      'opencode-mcp-tool-servers.json': { servers: [{}, 5, { id: 'a', url: 'nowhere', password: 'CHANGE_ME' }] },
    })
    const found = await plan()
    expect(found.projects).toMatchObject([{ entries: ['a'], port: null, password: null }])
    expect(found.skipped.map(({ name }: { name: string }) => name)).toEqual(['c', 'd'])
    for (const message of [
      /a: port is invalid/,
      /a: pid is invalid/,
      /b: is not a project entry/,
      /entry 1: has neither/,
      /entry 2: is not/,
      /a\): url is invalid/,
    ])
      expect(messages(found)).toMatch(message)
  })

  it('ignores a key with a passphrase in every format, and still plans the project', async () => {
    const formats = { none: [], openssh: [], pem: ['-m', 'PEM'], pkcs8: ['-m', 'PKCS8'] }
    const names = Object.keys(formats)
    await tree.write({
      'opencode-state.json': {
        projects: Object.fromEntries(names.map((name) => [name, v1(name, `https://github.com/user/${name}`)])),
      },
      'opencode-keys/.keep': '',
    })
    for (const [name, format] of Object.entries(formats)) {
      const kind = format.length === 0 ? 'ed25519' : 'rsa'
      const file = path.join(tree.memory, `opencode-keys/${name}-deploy`)
      await keygen('ssh-keygen', ['-q', '-t', kind, ...format, '-N', name === 'none' ? '' : 'secret', '-f', file])
    }
    const found = await plan()
    const keys = found.projects.map(({ name, gitUrl, sshKey }: Planned) => [
      name,
      gitUrl.split(':')[0],
      sshKey !== null,
    ])
    expect(keys.toSorted()).toEqual([
      ['none', 'ssh', true],
      ['openssh', 'https', false],
      ['pem', 'https', false],
      ['pkcs8', 'https', false],
    ])
    expect(messages(found).match(/has a passphrase.*will generate a new one/g)).toHaveLength(3)
  })

  it('registers the ssh address of an https URL with a key, or the URL if that address is unknown', async () => {
    const urls = { azure: 'https://dev.azure.com/o/p/_git/r', port: 'https://git.example:8443/o/r' }
    await tree.write({
      'opencode-state.json': {
        projects: Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, v1(name, url)])),
      },
      'opencode-keys/azure-deploy': KEY,
      'opencode-keys/port-deploy': KEY,
    })
    const found = await plan()
    expect(found.projects).toMatchObject([
      { key: 'dev.azure.com/o/p/r', gitUrl: 'ssh://git@ssh.dev.azure.com/v3/o/p/r', sshKey: { isHandedOver: true } },
      { key: 'git.example:8443/o/r', gitUrl: urls.port, sshKey: { isHandedOver: true } },
    ])
    expect(messages(found, 'warning')).toMatch(/port: its key works with ssh only, .* https:\/\/git\.example/)
    expect(messages(found, 'warning')).not.toMatch(/azure: its key works with ssh only/)
  })

  it('reports links out of the tree and does not follow them', async () => {
    const remote = await tree.remote('blog')
    const elsewhere = await tree.clone(remote, tree.at('elsewhere/repo'))
    await mkdir(path.join(tree.memory, 'opencode-sandboxes'))
    await symlink(path.dirname(elsewhere), path.join(tree.memory, 'opencode-sandboxes/linked'))
    await tree.write({ secret: '{"projects":{}}', key: KEY }, tree.directory)
    await symlink(tree.at('secret'), path.join(tree.memory, 'opencode-mcp-tool-servers.json'))
    await mkdir(path.join(tree.memory, 'opencode-keys'))
    await symlink(tree.at('key'), path.join(tree.memory, 'opencode-keys/linked-deploy'))
    await tree.write({ 'opencode-state.json': { projects: { linked: v1('linked', remote) } } })
    const found = await plan()
    expect(found.projects).toMatchObject([{ sshKey: null, sandboxes: [] }])
    expect(found.clones).toEqual([])
    expect(messages(found, 'problem').match(/link out of the tree/g)?.length).toBeGreaterThanOrEqual(3)
  })

  it('reports ports that two projects share, that are in use, or that Switchyard itself uses', async () => {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const address = listener.address()
    const taken = typeof address === 'object' && address !== null ? address.port : 0
    const project = (name: string, port: number, status = 'stopped', pid: number | null = null) =>
      v1(name, `git@github.com:user/${name}.git`, server(port, status, pid))
    await tree.write({
      'opencode-state.json': {
        projects: {
          a: project('a', 4101),
          b: project('b', 4101, 'running'),
          c: project('c', taken, 'running', process.pid),
          d: project('d', 3456),
        },
      },
    })
    const found = await plan()
    listener.close()
    expect(found.projects.map(({ name, port }: { name: string; port: number }) => [name, port])).toEqual([
      ['a', null],
      ['b', 4101],
      ['c', null],
      ['d', null],
    ])
    expect(found.ports.map(({ name }: { name: string }) => name).toSorted()).toEqual(['a', 'c', 'd'])
    expect(messages(found, 'note')).toMatch(
      new RegExp(`process ${process.pid} \\(.*\\) is running; the migration does not stop it`),
    )
    expect((await plan('--shared')).ports).toEqual([])
  })

  it('skips a repository without a remote inside the tree, and backs it up', async () => {
    const remote = await tree.remote('blog')
    const clone = await tree.clone(remote, 'opencode-sandboxes/a/repo')
    await git(clone, 'remote', 'remove', 'origin')
    await tree.write({ 'opencode-state.json': { projects: { a: v1('a', null) } } })
    const found = await plan()
    expect(found.projects).toEqual([])
    expect(found.skipped).toMatchObject([{ name: 'a', why: expect.stringContaining('no remote') }])
    expect(found.clones).toHaveLength(1)
  })

  it('reads folders without a state file', async () => {
    const remote = await tree.remote('blog')
    await tree.clone(remote, 'opencode-sandboxes/blog/repo')
    await tree.write({ 'opencode-sandboxes/blog/.env': 'OPENCODE_PORT=4101\nOPENCODE_SERVER_PASSWORD=changeme\n' })
    await writeFile(path.join(tree.memory, 'claude-code-state.json'), '{"sessions":{"a":{},"b":{}}}')
    const found = await plan()
    expect(found.projects).toMatchObject([{ key: remote, port: 4101, password: null }])
    expect(messages(found, 'note')).toMatch(/2 sessions of Claude Code/)
  })

  it('prints no secret', async () => {
    await tree.write({
      'opencode-state.json': { projects: { a: v1('a', URL) } },
      'opencode-sandboxes/a/.env': 'OPENCODE_SERVER_PASSWORD=s3cret-password\nMCP_TOOL_BEARER_TOKEN=s3cret-token\n',
    })
    for (const args of [[], ['--json']]) expect((await call(...args)).out).not.toContain('s3cret')
  })

  it.each([
    'https://user:s3cr3tTok@host.example/o/r.git',
    'https://s3cr3tTok@host.example/o/r.git',
    'git@user:s3cr3tTok@host.example:o/r.git',
    'git@s3cr3tTok@host.example:o/r.git',
    'user:s3cr3tTok@host.example/o/r.git',
    'ssh://git:s3cr3tTok@host.example/o/r.git',
    'https://host.example/o/r.git?private_token=s3cr3tTok',
  ])('prints no password of %s, and reports that it is not migrated', async (url) => {
    await tree.write({
      'opencode-state.json': {
        projects: { [url]: { ...v2(url, 'x'), git_url: null, project_name: null, opencode: { port: 'x' } }, other: 5 },
      },
      'opencode-mcp-tool-servers.json': {
        version: '2.0',
        servers: [
          { id: url, backend_type: 'opencode', url: 'nowhere' },
          { id: url, backend_type: 'claude_code', working_dir: 'x' },
        ],
        default_server: url,
      },
    })
    for (const args of [[], ['--json']]) expect((await call(...args)).out).not.toContain('s3cr3tTok')
    expect(messages(await plan(), 'warning')).toMatch(/contains a password or token, .*GIT_HTTPS_TOKENS/)
  })

  it.each([
    ['git@user:s3cr3tTok@host.example:o/r.git', 'host.example/o/r'],
    ['git@host.example:8443:o/r.git', 'host.example:8443/o/r'],
  ])('restores the https URL that the older manager rewrote to %s', async (url, key) => {
    await tree.write({ 'opencode-state.json': { projects: { [url]: v2(url, 'x') } } })
    const found = await plan()
    expect(found.projects).toMatchObject([{ key, gitUrl: expect.stringMatching(/^https:/) }])
  })

  it('exits with 2 for an unknown option, an invalid URL or a missing directory', async () => {
    expect(await call('--exeucte')).toMatchObject({ code: 2 })
    expect(await call('--url', 'nowhere')).toMatchObject({ code: 2 })
    await tree.remove()
    expect(await call()).toMatchObject({ code: 2, err: expect.stringContaining('is not a directory') })
  })

  it('reports a directory in the place of a file', async () => {
    await mkdir(path.join(tree.memory, 'opencode-state.json'))
    expect(messages(await plan(), 'problem')).toMatch(/opencode-state.json: (?:is not a regular file|cannot be read)/)
  })
})
