// Derives the ssh address of a repository that was given by another URL: deploy keys work only over ssh.

import type { RepositoryIdentity } from '../identity/identity.ts'

/** Returns undefined when the address is unknown: an https URL with a port does not reveal the port of ssh. */
export const sshAddress = ({ key, kind, fetchUrl }: RepositoryIdentity): string | undefined => {
  if (kind === 'ssh') return fetchUrl
  if (kind === 'path') return undefined
  const { hostname, port, pathname } = new URL(fetchUrl)
  if (port !== '') return undefined
  const azure = /^dev\.azure\.com\/(.+)$/.exec(key)?.[1]
  return azure === undefined ? `ssh://git@${hostname}${pathname}` : `ssh://git@ssh.dev.azure.com/v3/${azure}`
}
