// Knows, for the large forges, where a person adds a deploy key and how.

import type { RepositoryIdentity } from './identity.ts'

export type AddKeyPage = {
  /** The page; null for a host that we do not know. */
  readonly url: string | null
  /** What a person does there. */
  readonly instructions: string
}

const PAGES: Readonly<Record<string, readonly [path: string, instructions: string]>> = {
  'github.com': [
    '/settings/keys/new',
    'Paste the public key as a new deploy key of the repository. Tick "Allow write access" to let Switchyard publish work.',
  ],
  'gitlab.com': [
    '/-/settings/repository#js-deploy-keys-settings',
    'Add the public key under "Deploy keys". Tick "Grant write permissions to this key" to let Switchyard publish work.',
  ],
  'bitbucket.org': [
    '/admin/access-keys/',
    'Add the public key under "Access keys". Access keys are read-only: to publish work, add the key to an account with write access instead.',
  ],
  'codeberg.org': [
    '/settings/keys',
    'Add the public key under "Deploy keys". Tick "Enable write access" to let Switchyard publish work.',
  ],
}

const UNKNOWN =
  "Add the public key to the repository's deploy keys on its host, or to ~/.ssh/authorized_keys of its git user. Grant write access to let Switchyard publish work."

/**
 * Returns the page on which a repository's deploy key is added.
 *
 * @example addKeyPage(parseRepositoryUrl('git@github.com:o/r')).url === 'https://github.com/o/r/settings/keys/new'
 */
export const addKeyPage = ({ key, kind }: RepositoryIdentity): AddKeyPage => {
  const [host = '', ...rest] = key.split('/')
  if (kind === 'path') return { url: null, instructions: 'A local repository needs no key.' }
  if (host === 'git.sr.ht')
    return {
      url: 'https://meta.sr.ht/keys',
      instructions:
        'SourceHut has no deploy keys: add the public key to an account that can read the repository, and write to it to publish work.',
    }
  if (host === 'dev.azure.com')
    return {
      url: `https://dev.azure.com/${encodeURIComponent(rest[0] ?? '')}/_usersSettings/keys`,
      instructions:
        'Azure DevOps accepts only RSA keys of accounts: pass the path of an RSA key as user_ssh_key, and add its public key to an account that can read the repository, and write to it to publish work.',
    }
  const page = PAGES[host]
  if (!page) return { url: null, instructions: UNKNOWN }
  return { url: `https://${host}/${rest.map(encodeURIComponent).join('/')}${page[0]}`, instructions: page[1] }
}
