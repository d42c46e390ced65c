// Turns what git prints on failure into our errors: one line, without credentials.

import { type ErrorCode, SwitchyardError } from '@switchyard/contracts'

const PATTERNS: readonly (readonly [RegExp, ErrorCode])[] = [
  [/No space left on device|ENOSPC|Disk quota exceeded/i, 'disk_full'],
  [
    /unable to create (?:thread|temporary file).*Permission denied|Read-only file system|could not create (?:work tree|leading|directory).*Permission denied|cannot mkdir.*Permission denied/i,
    'directory_unwritable',
  ],
  [/REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for \S+ has changed/, 'host_key_changed'],
  [/host key is known for|Host key verification failed/i, 'host_key_unknown'],
  [/Load key ".*": |UNPROTECTED PRIVATE KEY FILE/, 'deploy_key_invalid'],
  [
    /marked as read only|read[- ]only key|key has read access only|not allowed to push code|not have write access|not authorized to write|denied for writing/i,
    'repository_access_denied',
  ],
  [
    /Permission denied \(publickey|Too many authentication failures|Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|Invalid username or (?:password|token)|The requested URL returned error: 40[13]|access denied|insufficient permission/i,
    'repository_access_denied',
  ],
  [
    /Could not resolve host(?:name)?|Connection (?:refused|timed out|reset|closed)|Failed to connect|Network is unreachable|No route to host|Operation timed out|The requested URL returned error: 5\d\d|early EOF|RPC failed|SSL|TLS|gnutls|unable to access/i,
    'repository_unavailable',
  ],
  [
    /[Rr]epository .*not found|does not appear to be a git repository|does not exist|not a git repository|No such file or directory|The requested URL returned error: 404|Could not read from remote repository/i,
    'repository_not_found',
  ],
]

/** Removes user names and passwords from URLs, and anything that looks like a token. */
const withoutSecrets = (text: string): string =>
  text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1')
    .replaceAll(/\b(?:gh[pousr]_|glpat-|sk-)[\w-]{8,}/g, '[removed]')

/** Removes control sequences: people and models read what a remote sends. */
const withoutControls = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  text.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, ' ')

/** Returns the lines about a host key that name the host and the key; ssh prints many more. */
const hostKeyLines = (text: string): string | undefined =>
  /REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known for/i.test(text)
    ? text
        .match(/^SHA256:[\w+/]+|^No \S+ host key is known for \S+|^Host key for \S+ has changed/gm)
        ?.toReversed()
        .join('; its key is ')
    : undefined

/** Returns the text of the remote's own lines, without credentials and control sequences. */
export const remoteMessage = (stderr: string): string =>
  withoutSecrets(withoutControls(stderr))
    .split('\n')
    .map((line) => /^remote:\s*(.*)$/.exec(line.trim())?.[1] ?? '')
    .filter((line) => line !== '')
    .join(' ')
    .slice(0, 500)

const oneLine = (stderr: string): string => {
  const text = withoutSecrets(withoutControls(stderr))
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^(?:fatal|error|remote|ERROR):\s*/i, '').trim())
    .filter(
      (line) =>
        line !== '' && !/^(?:Cloning into|warning:|hint:|Please make sure|and the repository exists)/i.test(line),
    )
  return (hostKeyLines(text) ?? lines.slice(0, 2).join('; ')).slice(0, 300)
}

/**
 * Returns the error that matches what git printed.
 *
 * @param command - git's subcommand
 * @param stderr - everything that git printed on stderr
 */
export const toGitError = (command: string, stderr: string): SwitchyardError => {
  const line = oneLine(stderr) || 'no reason given'
  const code = PATTERNS.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'repository_unavailable'
  return new SwitchyardError(code, `git ${command}: ${line}`, {
    context: { command, ...(/Unable to create '.*\.lock': File exists/.test(stderr) ? { lock_file: true } : {}) },
  })
}
