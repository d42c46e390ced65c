// The ssh of fetches and pushes with a deploy key: that key and no other, known hosts and no others, nothing of the user's
// configuration or agent, no question, no forwarding.

export type SshOptions = {
  /** Private keys to try, in this order. */
  readonly identityFiles: readonly string[]
  /** Files of known hosts; a new host is written into the first. */
  readonly knownHosts: readonly string[]
  /** Take the key that an unknown host shows the first time, and hold it to that. */
  readonly trustNewHosts: boolean
}

/** In a value of ssh's: quoted, since spaces divide, and `%` begins a token. */
const value = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`

/** For the shell that git gives the command to. */
const quoted = (text: string): string => (/^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

/** The value of GIT_SSH_COMMAND. Paths are in it, and nothing secret. */
export const sshCommand = ({ identityFiles, knownHosts, trustNewHosts }: SshOptions): string => {
  const options = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'PreferredAuthentications=publickey',
    ...identityFiles.map((file) => `IdentityFile=${value(file)}`),
    `StrictHostKeyChecking=${trustNewHosts ? 'accept-new' : 'yes'}`,
    `UserKnownHostsFile=${knownHosts.map(value).join(' ')}`,
    'GlobalKnownHostsFile=/dev/null',
    'UpdateHostKeys=no',
    'CheckHostIP=no',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'RequestTTY=no',
    'ConnectTimeout=15',
    // A connection that hangs is found out; a slow one is not.
    'ServerAliveInterval=15',
    'ServerAliveCountMax=4',
    'LogLevel=ERROR',
  ]
  return ['ssh', '-F', '/dev/null', ...options.flatMap((option) => ['-o', option])].map(quoted).join(' ')
}
