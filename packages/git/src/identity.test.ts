import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRepositoryUrl } from './identity.ts'

const name = fc
  .stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}[A-Za-z0-9]$/)
  .filter((word) => !/\.git$/i.test(word) && !word.includes('..'))
const host = fc.constantFrom('github.com', 'GitLab.example.org', 'git.example.com')

describe('parseRepositoryUrl', () => {
  it('gives one key to every way of writing one repository', () => {
    fc.assert(
      fc.property(host, name, name, (h, owner, repo) => {
        const spellings = [
          `git@${h}:${owner}/${repo}.git`,
          `git@${h}:${owner}/${repo}`,
          `ssh://git@${h}:22/${owner}/${repo}`,
          `ssh://git@${h}/${owner}/${repo}.git/`,
          `https://${h}/${owner}/${repo}`,
          `https://user:secret@${h}/${owner}/${repo}.git`,
          `https://${h}:443/${owner}/${repo}/`,
          `${h}/${owner}/${repo}`,
        ]
        const keys = new Set(spellings.map((spelling) => parseRepositoryUrl(spelling).key))
        expect([...keys]).toEqual([`${h.toLowerCase()}/${owner}/${repo}`])
      }),
    )
  })

  it('reads its own answer as the same repository', () => {
    fc.assert(
      fc.property(host, name, name, (h, owner, repo) => {
        const once = parseRepositoryUrl(`git@${h}:${owner}/${repo}.git`)
        expect(parseRepositoryUrl(once.displayUrl)).toEqual(once)
      }),
    )
  })

  it('never keeps a credential', () => {
    const secret = 'ghp_0123456789abcdef'
    for (const url of [
      `https://${secret}@h.example/o/r`,
      `https://x:${secret}@h.example/o/r`,
      `ssh://git:${secret}@h.example/o/r`,
    ])
      expect(JSON.stringify(parseRepositoryUrl(url))).not.toContain(secret)
  })

  it('keeps a port that is not the default one, and the case of the path', () => {
    expect(parseRepositoryUrl('ssh://git@h.example:2222/O/R').key).toBe('h.example:2222/O/R')
  })

  it('keys a local repository by its path', () => {
    expect(parseRepositoryUrl('/srv/a/')).toMatchObject({ key: '/srv/a', kind: 'path' })
    expect(parseRepositoryUrl('file:///srv/a')).toMatchObject({ key: '/srv/a', kind: 'path' })
  })

  it.each([
    '',
    '-u/x',
    '--upload-pack=touch /tmp/x',
    'ext::sh -c id',
    'https://h.example/',
    'https://h.example/../../x',
    'https://h.example/a b',
    'git@h.example:-x/r',
    'ftp://h.example/o/r',
    'file://other.example/srv/a',
    'just-a-word',
    'https://h.example/o/r\u0000',
    '/',
  ])('refuses %j', (url) => {
    expect(() => parseRepositoryUrl(url)).toThrow(expect.objectContaining({ code: 'invalid_project' }))
  })

  it('throws nothing but its own error, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseRepositoryUrl(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_project' })
        }
      }),
    )
  })
})
