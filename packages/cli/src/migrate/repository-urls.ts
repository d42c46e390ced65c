// Repository URLs of the older manager: which repository each one names, and its form without
// credentials.

import { parseRepositoryUrl, type RepositoryIdentity } from '@switchyard/git'

/** Forges that ignore case: URLs that differ only in case name one repository there. */
const CASE_INSENSITIVE_HOSTS = new Set(['github.com', 'gitlab.com', 'bitbucket.org', 'codeberg.org'])

/** Returns whether a text is a URL or an absolute path, and not a name. */
export const looksLikeUrl = (text: string): boolean => /:\/\/|^[^/\s]+@[^/\s]+[:/]|^\//.test(text)

/**
 * The older manager rewrote `https://H/o/r` to `git@H:o/r.git`, even if H contained a user, a
 * password or a port.
 */
const REWRITTEN = /^git@(?:[^/@\s]*@(?<host>[\w.-]+(?::\d+)?)|(?<withPort>[\w.-]+:\d+)):(?!\/\/)(?<rest>[^\s]+)$/

const originalUrl = (url: string): string => {
  const { host, withPort, rest } = REWRITTEN.exec(url)?.groups ?? {}
  return rest === undefined ? url : `https://${host ?? withPort}/${rest}`
}

/** Returns the identity of a repository, or null if the text is not a repository URL. */
export const parseIdentity = (url: string | null): RepositoryIdentity | null => {
  if (url === null) return null
  try {
    return parseRepositoryUrl(originalUrl(url))
  } catch {
    return null
  }
}

/** Returns a key that is the same for every spelling of a repository's URL. */
export const repositoryKey = (url: string | null): string | null => {
  const key = parseIdentity(url)?.key ?? null
  return key !== null && CASE_INSENSITIVE_HOSTS.has(key.split('/', 1)[0] ?? '') ? key.toLowerCase() : key
}

/** Returns whether a URL contains a password or a token, in any form. */
export const hasCredentials = (url: string): boolean => {
  const hasScheme = url.includes('://')
  if (!hasScheme) return /^[^/\s]*:[^/\s]*@|^[^/\s]*@[^/\s]*@/.test(url)
  if (!URL.canParse(url)) return url.includes('@')
  const { protocol, username, password, search } = new URL(url)
  const isHttp = /^https?:$/.test(protocol)
  return password !== '' || /:|%3a/i.test(username) || (isHttp && username + search !== '')
}

/** Returns a key or id from the older manager's files without credentials: it may be a URL. */
export const withoutCredentials = (text: string): string => {
  if (!looksLikeUrl(text) || !hasCredentials(text)) return text
  return parseIdentity(text)?.displayUrl ?? text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/i, '$1').replace(/[?#].*$/, '')
}

/**
 * Returns a name that is valid for a sandbox, a branch and a file: lower case, only `[a-z0-9._-]`.
 */
export const safeName = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .replaceAll(/^[-.]+|[-.]+$/g, '')
    .replace(/\.lock$/, '')
    .slice(0, 50) || 'unnamed'
