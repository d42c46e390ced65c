import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRepositoryUrl, projectName } from './identity.ts'

const name = fc
  .stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}[A-Za-z0-9]$/)
  .filter((word) => !/\.git$/i.test(word) && !word.includes('..'))
const host = fc.constantFrom('github.com', 'GitLab.example.org', 'git.example.com')

describe('parseRepositoryUrl', () => {
  it('returns the same key for every spelling of a repository', () => {
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
          `  git+ssh://git@${h}/${owner}/${repo}  `,
          `${h}:${owner}/${repo}.git`,
          `https://${h}//${owner}/${repo}.git?token=x#readme`,
          `git://${h}/${owner}/${repo}.git`,
        ]
        const keys = new Set(spellings.map((spelling) => parseRepositoryUrl(spelling).key))
        const path = h === 'github.com' ? `${owner}/${repo}`.toLowerCase() : `${owner}/${repo}`
        expect([...keys]).toEqual([`${h.toLowerCase()}/${path}`])
      }),
    )
  })

  it('parses its own output to the same identity', () => {
    fc.assert(
      fc.property(host, name, name, fc.nat({ max: 65_535 }), (h, owner, repo, port) => {
        for (const spelling of [
          `git@${h}:${owner}/${repo}.git`,
          `git@${h}:/srv/${owner}/${repo}.git`,
          `git@${h}:~${owner}/a b/${repo}`.replace(' ', '%20'),
          `ssh://${owner}@${h}:${port}/${owner}/${repo}`,
          `https://a:b@${h}:${port}/${owner}/${repo}.git/`,
          `/srv/${owner}/${repo}/`,
        ]) {
          const once = parseRepositoryUrl(spelling)
          expect(parseRepositoryUrl(once.displayUrl)).toEqual(once)
          expect(parseRepositoryUrl(once.fetchUrl)).toEqual(once)
        }
      }),
    )
  })

  it('returns different keys for a different host, port or path', () => {
    const location = fc.tuple(fc.constantFrom('a.example', 'b.example', 'a.example:99'), name, name)
    fc.assert(
      fc.property(location, location, (one, other) => {
        const of = ([h, owner, repo]: readonly string[]) => parseRepositoryUrl(`https://${h}/${owner}/${repo}`)
        expect(of(one).key === of(other).key).toBe(one.join() === other.join())
        expect(of(one).slug === of(other).slug).toBe(one.join() === other.join())
      }),
    )
  })

  it('drops credentials, also from error messages', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9_.-]{12,40}$/).map((word) => `Zq${word}`)
    fc.assert(
      fc.property(secret, (given) => {
        for (const url of [
          `https://${given}@h.example/o/r`,
          `https://x:${given}@h.example/o/r`,
          `https://${given}:${given}@h.example:8443/o/r.git?token=${given}#${given}`,
          `ssh://git:${given}@h.example/o/r`,
          `ssh://git%3A${given}@h.example/o/r`,
          `http://x:${given}@h.example/../r`,
          `x:${given}@h.example/o/r`,
          `ftp://x:${given}@h.example/o/r`,
          `https://x:${given}@h.example`,
          `git+http://${given}@h.example/o/r`,
        ]) {
          let output = ''
          try {
            output = JSON.stringify(parseRepositoryUrl(url))
          } catch (error) {
            output = `${error} ${JSON.stringify(error)}`
          }
          expect(output).not.toContain(given)
        }
      }),
    )
  })

  it.each([
    ['ssh://git@ssh.github.com:443/O/R.git', 'github.com/o/r'],
    ['git@altssh.gitlab.com:group/sub/R.git', 'gitlab.com/group/sub/r'],
    ['ssh://git@altssh.bitbucket.org:443/o/r', 'bitbucket.org/o/r'],
    ['https://www.github.com/O/R', 'github.com/o/r'],
    ['https://github.com./o/r', 'github.com/o/r'],
    ['git@ssh.dev.azure.com:v3/Org/Project/Repo', 'dev.azure.com/org/project/repo'],
    ['https://me@dev.azure.com/org/project/_git/repo', 'dev.azure.com/org/project/repo'],
    ['https://dev.azure.com/org/_git/project', 'dev.azure.com/org/project/project'],
    ['https://org.visualstudio.com/project/_git/repo', 'dev.azure.com/org/project/repo'],
    ['https://org.visualstudio.com/DefaultCollection/project/_git/repo', 'dev.azure.com/org/project/repo'],
    ['org@vs-ssh.visualstudio.com:v3/org/project/repo', 'dev.azure.com/org/project/repo'],
  ])('recognizes the forge of %s', (url, key) => {
    expect(parseRepositoryUrl(url).key).toBe(key)
  })

  it('keeps the spelling of a path that is relative to a home', () => {
    expect(parseRepositoryUrl('git@h.example:repos/r.git').fetchUrl).toBe('git@h.example:repos/r.git')
    expect(parseRepositoryUrl('git@h.example:/srv/r.git').fetchUrl).toBe('ssh://git@h.example/srv/r.git')
  })

  it('returns different keys for the homes of two people, and one key on a git server', () => {
    const keys = (urls: readonly string[]) => [...new Set(urls.map((url) => parseRepositoryUrl(url).key))]
    const alice = [
      'alice@h.example:r.git',
      'alice@h.example:~/r',
      'ssh://alice@h.example/~/r.git',
      'bob@h.example:~alice/r',
    ]
    expect(keys(alice)).toEqual(['h.example/~alice/r'])
    expect(keys(['bob@h.example:r.git'])).toEqual(['h.example/~bob/r'])
    // An absolute path, and a path on a git server or a forge, is the same repository for every user.
    expect(keys(['alice@h.example:/srv/r.git', 'ssh://bob@h.example/srv/r'])).toEqual(['h.example/srv/r'])
    for (const host of ['h.example', 'github.com'])
      expect(
        keys([`git@${host}:o/r.git`, `ssh://git@${host}:22/o/r`, `https://me:x@${host}/o/r/`, `${host}/o/r`]),
      ).toEqual([`${host}/o/r`])
    expect(keys(['gitea@h.example:o/r.git', 'h.example/o/r'])).toEqual(['h.example/o/r'])
    expect(keys(['alice@github.com:o/r.git', 'git@github.com:o/r'])).toEqual(['github.com/o/r'])
  })

  it('accepts an IP address as the host', () => {
    const keys = ['https://[::1]/o/r', 'git@[::1]:o/r.git', 'ssh://git@[0:0:0:0:0:0:0:1]:22/o/r', 'git@[0::1]:o/r'].map(
      (url) => parseRepositoryUrl(url).key,
    )
    expect([...new Set(keys)]).toEqual(['[::1]/o/r'])
    expect(parseRepositoryUrl('ssh://git@[2001:DB8::1]:2222/o/r')).toMatchObject({
      key: '[2001:db8::1]:2222/o/r',
      fetchUrl: 'ssh://git@[2001:db8::1]:2222/o/r',
    })
    for (const url of [
      'git@[::1]:o/r.git',
      'ssh://git@[2001:DB8::1]:2222/o/r',
      'alice@h.example:r.git',
      'https://h.example/o/r::x',
    ]) {
      const once = parseRepositoryUrl(url)
      expect(parseRepositoryUrl(once.displayUrl)).toEqual(once)
    }
  })

  it('derives a directory name from owner and repository', () => {
    expect(projectName(parseRepositoryUrl('git@github.com:Acme/Web.App.git'))).toBe('acme-web.app')
    fc.assert(
      fc.property(fc.webUrl(), (url) => {
        try {
          expect(projectName(parseRepositoryUrl(url))).toMatch(/^[a-z0-9_][a-z0-9._-]*$/)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_project' })
        }
      }),
    )
  })

  it('keeps a non-default port and the case of the path', () => {
    expect(parseRepositoryUrl('ssh://git@h.example:2222/O/R').key).toBe('h.example:2222/O/R')
  })

  it('uses the path as the key of a local repository', () => {
    expect(parseRepositoryUrl('/srv/a/')).toMatchObject({ key: '/srv/a', kind: 'path' })
    expect(parseRepositoryUrl('file:///srv/a')).toMatchObject({ key: '/srv/a', kind: 'path' })
  })

  it.each([
    '',
    '-u/x',
    '--upload-pack=touch /tmp/x',
    'ext::sh -c id',
    'EXT::sh -c id',
    'fd::17',
    'git@[:::1]:o/r',
    'https://[::1',
    'ssh://a%20b@h.example/o/r',
    'ssh://git%3Apw@h.example/o/r',
    'ssh://a%40b@h.example/o/r',
    'ssh://-oProxyCommand=x@h.example/o/r',
    'ssh://-l@h.example/o/r',
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

  it.each(['https://h.example/a/%2e%2e/b', 'https://h.example/o/r%0aX', 'https://h.example/o%2fr/x', '/srv/a/../b'])(
    'refuses the path in %j',
    (url) => {
      expect(() => parseRepositoryUrl(url)).toThrow(expect.objectContaining({ code: 'invalid_project' }))
    },
  )

  it('keeps encoded characters of a path in its URLs, and decodes them in the key', () => {
    const once = parseRepositoryUrl('https://h.example/o/a%20b')
    expect(once).toMatchObject({ key: 'h.example/o/a b', fetchUrl: 'https://h.example/o/a%20b' })
    expect(parseRepositoryUrl(once.displayUrl)).toEqual(once)
  })

  it('throws only invalid_project, for any input', () => {
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
