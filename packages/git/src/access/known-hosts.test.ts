import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)

// Fingerprints that the forges publish. The known_hosts file names the pages.
const PUBLISHED = [
  'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU github.com,[ssh.github.com]:443 (ED25519)',
  'SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM github.com,[ssh.github.com]:443 (ECDSA)',
  'SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s github.com,[ssh.github.com]:443 (RSA)',
  'SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8 gitlab.com,[altssh.gitlab.com]:443 (ED25519)',
  'SHA256:HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw gitlab.com,[altssh.gitlab.com]:443 (ECDSA)',
  'SHA256:ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ gitlab.com,[altssh.gitlab.com]:443 (RSA)',
  'SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM bitbucket.org,[altssh.bitbucket.org]:443 (ED25519)',
  'SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0 bitbucket.org,[altssh.bitbucket.org]:443 (ECDSA)',
  'SHA256:46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E bitbucket.org,[altssh.bitbucket.org]:443 (RSA)',
  'SHA256:mIlxA9k46MmM6qdJOdMnAQpzGxF4WIVVL+fj+wZbw0g codeberg.org (ED25519)',
  'SHA256:T9FYDEHELhVkulEKKwge5aVhVTbqCW0MIRwAfpARs/E codeberg.org (ECDSA)',
  'SHA256:6QQmYi4ppFS4/+zSZ5S4IU+4sa6rwvQ4PbhCtPEBekQ codeberg.org (RSA)',
  'SHA256:WXXNZu0YyoE3KBl5qh4GsnF1vR0NeEPYJAiPME+P09g git.sr.ht (ED25519)',
  'SHA256:1nUUjsHH0qwfjI3dYFWlXTjPUP/Un1oo6wfu9YL8tCQ git.sr.ht (ECDSA)',
  'SHA256:rvz/I0S1T/9If9+/CU0HDTF8AV4MPu5Gkkxsb7vUTH4 git.sr.ht (RSA)',
  'SHA256:ohD8VZEXGWo6Ez8GSEJQ9WpafgLFsOfLOtGGQCQo6Og ssh.dev.azure.com,vs-ssh.visualstudio.com (RSA)',
]

it('known_hosts contains the keys that the forges publish, with all their host names', async () => {
  const { stdout } = await run('ssh-keygen', ['-lf', path.join(import.meta.dirname, 'known_hosts')])
  const contained = stdout.trim().split('\n')
  expect(contained.map((line) => line.replace(/^\d+ /, ''))).toEqual(PUBLISHED)
})
