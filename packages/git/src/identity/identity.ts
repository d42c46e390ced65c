// Gives every repository one identity, however its URL is written: `host/owner/repo`, or the path of a
// local repository.

import { createHash } from 'node:crypto'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { SwitchyardError } from '@switchyard/contracts'
import { canonicalKey, isForge } from './forges.ts'

export type RepositoryKind = 'https' | 'http' | 'ssh' | 'git' | 'path'

export type RepositoryIdentity = {
  /**
   * `host/owner/repo`, the same for all URLs of a repository. Contains the port unless it is the default
   * one. Lower case on forges that ignore case. `host/~user/repo` for a repository in a user's home.
   */
  readonly key: string
  readonly kind: RepositoryKind
  /** The URL that git fetches from, without credentials. */
  readonly fetchUrl: string
  /** The URL to store and to show, without credentials. */
  readonly displayUrl: string
  /** `<owner>-<repo>-<8 hex digits of the key's hash>`, used as the name of its directories. */
  readonly slug: string
}

const MAX_LENGTH = 2_000
const DEFAULT_PORTS: Readonly<Record<string, string>> = { https: '443', http: '80', ssh: '22', git: '9418' }
/** `user@host:path`, but not `scheme://…`. */
const SCP_LIKE = /^(?:(?<user>[\w.+-]+)@)?(?<host>\[[0-9a-fA-F:.]+\]|[\w.-]+):(?!\/\/)(?<rest>[^\s]+)$/
const BARE = /^(?<host>[\w-]+(?:\.[\w-]+)*(?::\d+)?)\/(?<rest>[^\s:]+\/[^\s]+)$/
/** `ext::sh -c …`: the pattern by which git itself recognizes a transport helper. */
const TRANSPORT = /^[a-z0-9][a-z0-9+.-]*::/i
/** User names of an ssh address that need no quoting. */
const USER = /^[\w.+][\w.+-]*$/
/** Users that git servers run as: a path in their home belongs to the server, not to a person. */
const SERVICE_USERS = new Set(['git', 'gitea', 'forgejo', 'gogs', 'gitlab', 'gitolite'])

const refuse = (why: string): never => {
  throw new SwitchyardError('invalid_project', `the project ${why}`)
}

const nameOf = (key: string): string => {
  const words = key.split('/').filter((word) => word !== '')
  const name = words
    .slice(-2)
    .join('-')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .slice(0, 60)
    .replaceAll(/^[-.]+|[-.]+$/g, '')
  return name || 'repository'
}

const slugOf = (key: string): string => `${nameOf(key)}-${createHash('sha256').update(key).digest('hex').slice(0, 8)}`

/** Returns `<owner>-<repo>`, a readable directory name. Two repositories may share it; their slugs differ. */
export const projectName = (identity: RepositoryIdentity): string => nameOf(identity.key)

const repositoryPath = (raw: string): string => {
  const segments = raw.split('/').filter((segment) => segment !== '')
  if (segments.some((segment) => segment === '.' || segment === '..')) refuse('has . or .. in its path')
  if (segments.some((segment) => segment.startsWith('-'))) refuse('has a path segment that begins with -')
  const joined = segments.join('/').replace(/\.git$/i, '')
  if (joined === '' || joined === '.git') refuse('has a URL without a repository path')
  return joined
}

type Remote = {
  readonly kind: Exclude<RepositoryKind, 'path'>
  readonly user: string
  readonly host: string
  readonly port: string
  /** As in a URL, percent-encoded. */
  readonly path: string
  /** True for `host:path`. Unless the host is a forge, the path is relative to the user's home, which a URL cannot express. */
  readonly isScpLike?: boolean
}

/** Returns the host in lower case, and an IPv6 address in its short form. */
const hostOf = (given: string): string => {
  if (given === '' || given.startsWith('-')) refuse('has a URL without a host')
  if (!given.startsWith('[')) return given.toLowerCase()
  return URL.canParse(`https://${given}`)
    ? new URL(`https://${given}`).hostname
    : refuse('has an invalid IP address as its host')
}

/**
 * Adds the user's name to a path that is relative to that user's home, as in `~name/path`: the same path
 * names another repository in another home.
 */
const pathWithHome = ({ kind, user, path: given, isScpLike }: Remote, host: string, decodedPath: string): string => {
  if (kind !== 'ssh' || user === '' || SERVICE_USERS.has(user) || isForge(host)) return decodedPath
  if (decodedPath.startsWith('~/')) return `~${user}${decodedPath.slice(1)}`
  return isScpLike && !given.startsWith('/') && !decodedPath.startsWith('~') ? `~${user}/${decodedPath}` : decodedPath
}

const remote = (given: Remote): RepositoryIdentity => {
  const host = hostOf(given.host)
  if (given.user !== '' && !USER.test(given.user)) refuse('has an invalid user name in its URL')
  const port = given.port === DEFAULT_PORTS[given.kind] ? '' : given.port
  const decodedPath = repositoryPath(decoded(given.path))
  // The URL keeps the path as written: to the server, the decoded path may be another one.
  const written = given.path.split('/').filter(Boolean).join('/')
  const authority = port ? `${host}:${port}` : host
  const name = host.replace(/\.$/, '')
  const key = canonicalKey(name, port, pathWithHome(given, name, decodedPath))
  // ssh needs its user (usually `git`), which is not a secret. All other users and all passwords are dropped.
  const user = given.kind === 'ssh' && given.user ? `${given.user}@` : ''
  const url =
    given.isScpLike && !given.path.startsWith('/')
      ? `${user}${host}:${decoded(given.path)}`
      : `${given.kind}://${user}${authority}/${written}`
  return { key, kind: given.kind, fetchUrl: url, displayUrl: url, slug: slugOf(key) }
}

const local = (raw: string): RepositoryIdentity => {
  const directory = path.resolve(raw).replace(/\/+$/, '')
  if (directory === '') refuse('is the root directory')
  return { key: directory, kind: 'path', fetchUrl: directory, displayUrl: directory, slug: slugOf(directory) }
}

const decoded = (text: string): string => {
  const plain = (() => {
    try {
      return decodeURIComponent(text)
    } catch {
      return refuse('has an invalid path')
    }
  })()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are refused
  if (/[\u0000-\u001f\u007f\\]/.test(plain) || /%2f/i.test(text)) refuse('has an invalid path')
  return plain
}

/**
 * Parses a git URL (https, http, ssh, git, file, `git@host:path`, `host/path`) or an absolute local path.
 * Credentials are dropped.
 *
 * @throws SwitchyardError `invalid_project`
 * @example parseRepositoryUrl('git@github.com:o/r.git').key === 'github.com/o/r'
 */
export const parseRepositoryUrl = (input: string): RepositoryIdentity => {
  const text = input.trim()
  if (text === '' || text.length > MAX_LENGTH) refuse('is empty or too long')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are refused
  if (/[\u0000-\u001f\u007f\s]/.test(text) && !text.startsWith('/'))
    refuse('contains white space or control characters')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are refused
  if (/[\u0000-\u001f\u007f]/.test(text)) refuse('contains control characters')
  if (text.startsWith('-')) refuse('begins with -')
  if (/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(text)) refuse('has . or .. in its path')
  if (TRANSPORT.test(text)) refuse('uses a git transport that is not allowed')
  if (text.startsWith('/')) return local(text)
  const scheme = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\//i.exec(text)?.groups?.scheme?.toLowerCase()
  if (scheme !== undefined) return fromUrl(text, scheme)
  const bare = BARE.exec(text)?.groups
  if (bare) {
    const [host = '', port = ''] = (bare.host ?? '').split(':')
    return remote({ kind: 'https', user: '', host, port, path: bare.rest ?? '' })
  }
  const scp = SCP_LIKE.exec(text)?.groups
  // `user:password@host/path` is a URL whose https:// is missing.
  if (scp && /^[^/]*@/.test(scp.rest ?? '')) refuse('seems to contain a password; remove it, or put https:// in front')
  if (scp)
    return remote({
      kind: 'ssh',
      user: scp.user ?? 'git',
      host: scp.host ?? '',
      port: '',
      // In a URL these characters would end the path.
      path: encodeURI(scp.rest ?? '')
        .replaceAll('?', '%3F')
        .replaceAll('#', '%23'),
      isScpLike: true,
    })
  return refuse('is neither a git URL nor an absolute path')
}

const fromUrl = (text: string, given: string): RepositoryIdentity => {
  if (!URL.canParse(text)) refuse('is not a valid URL')
  const url = new URL(text)
  if (given === 'file') {
    if (url.hostname !== '' && url.hostname !== 'localhost') refuse('is a file URL with a host')
    return local(fileURLToPath(`file://${url.pathname}`))
  }
  const kind = given === 'git+ssh' || given === 'ssh+git' ? 'ssh' : given
  if (kind !== 'https' && kind !== 'http' && kind !== 'ssh' && kind !== 'git')
    return refuse(`has the unsupported scheme ${given}`)
  return remote({
    kind,
    user: kind === 'ssh' ? decoded(url.username) : '',
    host: url.hostname,
    port: url.port,
    path: url.pathname,
  })
}
