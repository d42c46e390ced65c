// Which repository a URL of the older manager means, and how it is shown.

import { parseRepositoryUrl, type RepositoryIdentity } from '@switchyard/git'

/** Forges that take names in any case for the same: what differs in case alone is one repository there. */
const ANY_CASE = new Set(['github.com', 'gitlab.com', 'bitbucket.org', 'codeberg.org'])

/** True for what is a URL or a path, and no name. */
export const looksLikeUrl = (text: string): boolean => /:\/\/|^[^/\s]+@[^/\s]+[:/]|^\//.test(text)

/** The older manager made `git@H:o/r.git` of `https://H/o/r` with a user, a password and a port in it, too. */
const REWRITTEN = /^git@(?:[^/@\s]*@(?<host>[\w.-]+(?::\d+)?)|(?<withPort>[\w.-]+:\d+)):(?!\/\/)(?<rest>[^\s]+)$/

const asWritten = (url: string): string => {
  const { host, withPort, rest } = REWRITTEN.exec(url)?.groups ?? {}
  return rest === undefined ? url : `https://${host ?? withPort}/${rest}`
}

/** Null for what is no URL of a repository. */
export const identityOf = (url: string | null): RepositoryIdentity | null => {
  if (url === null) return null
  try {
    return parseRepositoryUrl(asWritten(url))
  } catch {
    return null
  }
}

/** The same for all spellings of one repository. */
export const keyOf = (url: string | null): string | null => {
  const key = identityOf(url)?.key ?? null
  return key !== null && ANY_CASE.has(key.split('/', 1)[0] ?? '') ? key.toLowerCase() : key
}

/** True for a URL with a password or a token in it, in whatever form. */
export const hasCredentials = (url: string): boolean => {
  const isWhole = url.includes('://')
  if (!isWhole) return /^[^/\s]*:[^/\s]*@|^[^/\s]*@[^/\s]*@/.test(url)
  if (!URL.canParse(url)) return url.includes('@')
  const { protocol, username, password, search } = new URL(url)
  const isHttp = /^https?:$/.test(protocol)
  return password !== '' || /:|%3a/i.test(username) || (isHttp && username + search !== '')
}

/** Returns a key or an id of the older manager's files, which may be a URL, without any password. */
export const shown = (text: string): string => {
  if (!looksLikeUrl(text) || !hasCredentials(text)) return text
  return identityOf(text)?.displayUrl ?? text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/i, '$1').replace(/[?#].*$/, '')
}

/** A name that is safe for a sandbox, a branch and a file: lower case, without anything outside of `[a-z0-9._-]`. */
export const safeName = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .replaceAll(/^[-.]+|[-.]+$/g, '')
    .replace(/\.lock$/, '')
    .slice(0, 50) || 'unnamed'
