// The ssh address of a repository that was named by another one: deploy keys work over ssh alone.

import type { RepositoryIdentity } from '../identity/identity.ts'

/** Undefined where it cannot be told: a host with a port of its own for https has an ssh port that we do not know. */
export const sshAddress = ({ key, kind, fetchUrl }: RepositoryIdentity): string | undefined => {
  if (kind === 'ssh') return fetchUrl
  if (kind === 'path') return undefined
  const { hostname, port, pathname } = new URL(fetchUrl)
  if (port !== '') return undefined
  const azure = /^dev\.azure\.com\/(.+)$/.exec(key)?.[1]
  return azure === undefined ? `ssh://git@${hostname}${pathname}` : `ssh://git@ssh.dev.azure.com/v3/${azure}`
}
