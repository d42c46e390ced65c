// Where a deploy key is added, and how, for the forges that we know.

import type { RepositoryIdentity } from '../identity/identity.ts'

export type AddKeyPage = {
  /** The page; null where the host is none that we know. */
  readonly url: string | null
  /** For a person. */
  readonly instructions: string
}

const PAGES: Readonly<Record<string, readonly [path: string, instructions: string]>> = {
  'github.com': [
    '/settings/keys/new',
    'Paste the public key as a new deploy key of the repository, and tick “Allow write access” if work is to be published.',
  ],
  'gitlab.com': [
    '/-/settings/repository#js-deploy-keys-settings',
    'Under “Deploy keys” add the public key, and tick “Grant write permissions to this key” if work is to be published.',
  ],
  'bitbucket.org': [
    '/admin/access-keys/',
    'Add the public key under “Access keys”. Those can only read: to publish work, add the key to an account with write access instead.',
  ],
  'codeberg.org': [
    '/settings/keys',
    'Under “Deploy keys” add the public key, and tick “Enable write access” if work is to be published.',
  ],
}

const UNKNOWN =
  'Add the public key to the repository’s deploy keys on its host, or to ~/.ssh/authorized_keys of its git user, with write access if work is to be published.'

/** @example addKeyPage(parseRepositoryUrl('git@github.com:o/r')).url === 'https://github.com/o/r/settings/keys/new' */
export const addKeyPage = ({ key, kind }: RepositoryIdentity): AddKeyPage => {
  const [host = '', ...rest] = key.split('/')
  if (kind === 'path') return { url: null, instructions: 'A local repository needs no key.' }
  if (host === 'git.sr.ht')
    return {
      url: 'https://meta.sr.ht/keys',
      instructions:
        'SourceHut has no deploy keys: add the public key to an account that may read the repository (and write, if work is to be published).',
    }
  if (host === 'dev.azure.com')
    return {
      url: `https://dev.azure.com/${encodeURIComponent(rest[0] ?? '')}/_usersSettings/keys`,
      instructions:
        'Azure DevOps takes RSA keys of accounts only: name an RSA key of your own with user_ssh_key, and add its public half to an account that may read the repository (and write, if work is to be published).',
    }
  const page = PAGES[host]
  if (!page) return { url: null, instructions: UNKNOWN }
  return { url: `https://${host}/${rest.map(encodeURIComponent).join('/')}${page[0]}`, instructions: page[1] }
}
