// Which repository a URL of the older manager means.

import { parseRepositoryUrl, type RepositoryIdentity } from '@switchyard/git'

/** Forges that take names in any case for the same: what differs in case alone is one repository there. */
const ANY_CASE = new Set(['github.com', 'gitlab.com', 'bitbucket.org', 'codeberg.org'])

/** Null for what is no URL of a repository. */
export const identityOf = (url: string | null): RepositoryIdentity | null => {
  if (url === null) return null
  try {
    return parseRepositoryUrl(url)
  } catch {
    return null
  }
}

/** The same for all spellings of one repository. */
export const keyOf = (url: string | null): string | null => {
  const key = identityOf(url)?.key ?? null
  return key !== null && ANY_CASE.has(key.split('/', 1)[0] ?? '') ? key.toLowerCase() : key
}

/** True for a URL with a password or a token in it. */
export const hasCredentials = (url: string): boolean => {
  if (!URL.canParse(url)) return false
  const { protocol, username, password } = new URL(url)
  return password !== '' || (username !== '' && /^https?:$/.test(protocol))
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
