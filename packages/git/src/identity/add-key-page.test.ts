import { describe, expect, it } from 'vitest'
import { addKeyPage } from './add-key-page.ts'
import { parseRepositoryUrl } from './identity.ts'

describe('addKeyPage', () => {
  it.each([
    ['git@github.com:Acme/Web.git', 'https://github.com/acme/web/settings/keys/new'],
    ['git@gitlab.com:a/b/c.git', 'https://gitlab.com/a/b/c/-/settings/repository#js-deploy-keys-settings'],
    ['git@bitbucket.org:a/b.git', 'https://bitbucket.org/a/b/admin/access-keys/'],
    ['https://codeberg.org/a/b', 'https://codeberg.org/a/b/settings/keys'],
    ['git@git.sr.ht:~me/b', 'https://meta.sr.ht/keys'],
    ['git@ssh.dev.azure.com:v3/org/project/repo', 'https://dev.azure.com/org/_usersSettings/keys'],
    ['git@git.example.org:a/b.git', null],
    ['/srv/r', null],
  ])('returns for %s the page %s', (url, page) => {
    const { url: found, instructions } = addKeyPage(parseRepositoryUrl(url))
    expect(found).toBe(page)
    if (!url.startsWith('/')) expect(instructions).toMatch(/write access|grant write|publish/i)
  })
})
