// What git says, as our errors: one line, without credentials.

import { type ErrorCode, SwitchyardError } from '@switchyard/contracts'

const KINDS: readonly (readonly [RegExp, ErrorCode])[] = [
  [/No space left on device|ENOSPC|Disk quota exceeded/i, 'disk_full'],
  [
    /unable to create (?:thread|temporary file).*Permission denied|Read-only file system|could not create (?:work tree|leading|directory).*Permission denied|cannot mkdir.*Permission denied/i,
    'directory_unwritable',
  ],
  [
    /Permission denied \(publickey|Host key verification failed|Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|Invalid username or (?:password|token)|The requested URL returned error: 40[13]|access denied|insufficient permission/i,
    'repository_access_denied',
  ],
  [
    /Could not resolve host(?:name)?|Connection (?:refused|timed out|reset)|Failed to connect|Network is unreachable|No route to host|Operation timed out|The requested URL returned error: 5\d\d|early EOF|RPC failed|SSL|TLS|gnutls|unable to access/i,
    'repository_unavailable',
  ],
  [
    /[Rr]epository .*not found|does not appear to be a git repository|does not exist|not a git repository|No such file or directory|The requested URL returned error: 404|Could not read from remote repository/i,
    'repository_not_found',
  ],
]

/** User names and passwords in URLs, and anything that looks like a token. */
const withoutSecrets = (text: string): string =>
  text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1')
    .replaceAll(/\b(?:gh[pousr]_|glpat-|sk-)[\w-]{8,}/g, '[removed]')

const oneLine = (stderr: string): string => {
  const lines = withoutSecrets(stderr)
    .split('\n')
    .map((line) => line.replace(/^(?:fatal|error|remote|ERROR):\s*/i, '').trim())
    .filter(
      (line) =>
        line !== '' && !/^(?:Cloning into|warning:|hint:|Please make sure|and the repository exists)/i.test(line),
    )
  return lines.slice(0, 2).join('; ').slice(0, 300)
}

/** @param command - git's subcommand. @param stderr - all that it said. */
export const toGitError = (command: string, stderr: string): SwitchyardError => {
  const line = oneLine(stderr) || 'no reason given'
  const code = KINDS.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'repository_unavailable'
  return new SwitchyardError(code, `git ${command}: ${line}`, {
    context: { command, ...(/Unable to create '.*\.lock': File exists/.test(stderr) ? { lock_file: true } : {}) },
  })
}
