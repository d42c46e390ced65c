// One identity per repository, whatever its URL looks like: `host/owner/repo`, or the path of a local one.

import { createHash } from 'node:crypto'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { SwitchyardError } from '@switchyard/contracts'
import { canonicalPlace, isForge } from './forges.ts'

export type RepositoryKind = 'https' | 'http' | 'ssh' | 'git' | 'path'

export type RepositoryIdentity = {
  /**
   * The same for all URLs of one repository: `host/owner/repo`, with the port where it is not the default one. In lower
   * case where the forge takes `Owner/Repo` and `owner/repo` for the same; `host/~user/repo` in a person's home.
   */
  readonly key: string
  readonly kind: RepositoryKind
  /** What git fetches from. Holds no credentials. */
  readonly fetchUrl: string
  /** What may be stored and shown. Holds no credentials. */
  readonly displayUrl: string
  /** A name for its directories: `<owner>-<repo>-<8 hex digits of the key's hash>`. */
  readonly slug: string
}

const MAX_LENGTH = 2_000
const DEFAULT_PORTS: Readonly<Record<string, string>> = { https: '443', http: '80', ssh: '22', git: '9418' }
/** `user@host:path`, and not `host:port/…` nor `scheme://…`. */
const SCP_LIKE = /^(?:(?<user>[\w.+-]+)@)?(?<host>\[[0-9a-fA-F:.]+\]|[\w.-]+):(?!\/\/)(?<rest>[^\s]+)$/
const BARE = /^(?<host>[\w-]+(?:\.[\w-]+)*(?::\d+)?)\/(?<rest>[^\s:]+\/[^\s]+)$/
/** `ext::sh -c …`: as git itself tells it from a URL. */
const TRANSPORT = /^[a-z0-9][a-z0-9+.-]*::/i
/** What may be written before the @ of an ssh address without being quoted. */
const USER = /^[\w.+][\w.+-]*$/
/** Users that servers of repositories run as: what is in their home has no other owner. */
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

/** `<owner>-<repo>`: a name for a directory that people see. Two repositories may share it; their slugs differ. */
export const projectName = (identity: RepositoryIdentity): string => nameOf(identity.key)

const repositoryPath = (raw: string): string => {
  const segments = raw.split('/').filter((segment) => segment !== '')
  if (segments.some((segment) => segment === '.' || segment === '..')) refuse('has a path that leaves its place')
  if (segments.some((segment) => segment.startsWith('-'))) refuse('has a path with a part that begins with -')
  const joined = segments.join('/').replace(/\.git$/i, '')
  if (joined === '' || joined === '.git') refuse('names no repository')
  return joined
}

type Remote = {
  readonly kind: Exclude<RepositoryKind, 'path'>
  readonly user: string
  readonly host: string
  readonly port: string
  /** As in a URL, with %xx in it. */
  readonly path: string
  /** `host:path`: on a server that is no forge, a path that is relative to the user's home, which no URL can say. */
  readonly isScpLike?: boolean
}

/** In lower case; an IPv6 address in its one short form. */
const hostOf = (given: string): string => {
  if (given === '' || given.startsWith('-')) refuse('names no host')
  if (!given.startsWith('[')) return given.toLowerCase()
  return URL.canParse(`https://${given}`)
    ? new URL(`https://${given}`).hostname
    : refuse('names a host that is no address')
}

/** What is relative to a person's home is another thing in another person's: it gets that person's name, as `~name` says it too. */
const placeOf = ({ kind, user, path: given, isScpLike }: Remote, host: string, where: string): string => {
  if (kind !== 'ssh' || user === '' || SERVICE_USERS.has(user) || isForge(host)) return where
  if (where.startsWith('~/')) return `~${user}${where.slice(1)}`
  return isScpLike && !given.startsWith('/') && !where.startsWith('~') ? `~${user}/${where}` : where
}

const remote = (given: Remote): RepositoryIdentity => {
  const host = hostOf(given.host)
  if (given.user !== '' && !USER.test(given.user)) refuse('names a user that is none')
  const port = given.port === DEFAULT_PORTS[given.kind] ? '' : given.port
  const where = repositoryPath(decoded(given.path))
  // The URL keeps the path as it was written: decoded, it would be another one to the server.
  const written = given.path.split('/').filter(Boolean).join('/')
  const authority = port ? `${host}:${port}` : host
  const name = host.replace(/\.$/, '')
  const key = canonicalPlace(name, port, placeOf(given, name, where))
  // ssh needs its user (mostly `git`), which is no secret; every other user and every password is left out.
  const user = given.kind === 'ssh' && given.user ? `${given.user}@` : ''
  const url =
    given.isScpLike && !given.path.startsWith('/')
      ? `${user}${host}:${decoded(given.path)}`
      : `${given.kind}://${user}${authority}/${written}`
  return { key, kind: given.kind, fetchUrl: url, displayUrl: url, slug: slugOf(key) }
}

const local = (raw: string): RepositoryIdentity => {
  const place = path.resolve(raw).replace(/\/+$/, '')
  if (place === '') refuse('is the root directory')
  return { key: place, kind: 'path', fetchUrl: place, displayUrl: place, slug: slugOf(place) }
}

const decoded = (text: string): string => {
  const plain = (() => {
    try {
      return decodeURIComponent(text)
    } catch {
      return refuse('has a path that is not valid')
    }
  })()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(plain) || /%2f/i.test(text)) refuse('has a path that is not valid')
  return plain
}

/**
 * Reads a git URL (https, http, ssh, git, file, `git@host:path`, `host/path`) or an absolute local path.
 * Credentials in it are left out.
 *
 * @throws SwitchyardError `invalid_project`
 * @example parseRepositoryUrl('git@github.com:o/r.git').key === 'github.com/o/r'
 */
export const parseRepositoryUrl = (input: string): RepositoryIdentity => {
  const text = input.trim()
  if (text === '' || text.length > MAX_LENGTH) refuse('is empty or too long')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f\s]/.test(text) && !text.startsWith('/'))
    refuse('has white space or control characters in it')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(text)) refuse('has control characters in it')
  if (text.startsWith('-')) refuse('begins with -')
  if (/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(text)) refuse('has a path that leaves its place')
  if (TRANSPORT.test(text)) refuse('names a transport of git that is not allowed')
  if (text.startsWith('/')) return local(text)
  const scheme = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\//i.exec(text)?.groups?.scheme?.toLowerCase()
  if (scheme !== undefined) return fromUrl(text, scheme)
  const bare = BARE.exec(text)?.groups
  if (bare) {
    const [host = '', port = ''] = (bare.host ?? '').split(':')
    return remote({ kind: 'https', user: '', host, port, path: bare.rest ?? '' })
  }
  const scp = SCP_LIKE.exec(text)?.groups
  // `user:password@host/path`, without the https:// that would make it a URL.
  if (scp && /^[^/]*@/.test(scp.rest ?? ''))
    refuse('looks as if it had a password in it; leave that out, or write https:// before it')
  if (scp)
    return remote({
      kind: 'ssh',
      user: scp.user ?? 'git',
      host: scp.host ?? '',
      port: '',
      // In a URL these would be more than a path.
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
    if (url.hostname !== '' && url.hostname !== 'localhost') refuse('is a file URL of another host')
    return local(fileURLToPath(`file://${url.pathname}`))
  }
  const kind = given === 'git+ssh' || given === 'ssh+git' ? 'ssh' : given
  if (kind !== 'https' && kind !== 'http' && kind !== 'ssh' && kind !== 'git')
    return refuse(`has the scheme ${given}, which is not supported`)
  return remote({
    kind,
    user: kind === 'ssh' ? decoded(url.username) : '',
    host: url.hostname,
    port: url.port,
    path: url.pathname,
  })
}
