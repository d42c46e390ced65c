// Builds the ssh command for fetches and pushes with a deploy key. ssh uses only the given keys and known
// hosts, ignores the user's configuration and agent, never prompts and forwards nothing.

export type SshOptions = {
  /** Private keys to try, in this order. */
  readonly identityFiles: readonly string[]
  /** known_hosts files; ssh writes a new host to the first. */
  readonly knownHosts: readonly string[]
  /** Accept the key of an unknown host on first contact, and require the same key from then on. */
  readonly trustNewHosts: boolean
}

/** Quotes a value of an ssh option: a space separates values, and `%` begins a token. */
const optionValue = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`

/** Quotes an argument for the shell in which git runs the command. */
const shellQuoted = (text: string): string => (/^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

/** Returns the value of GIT_SSH_COMMAND. It contains paths but no secrets. */
export const sshCommand = ({ identityFiles, knownHosts, trustNewHosts }: SshOptions): string => {
  const options = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'PreferredAuthentications=publickey',
    ...identityFiles.map((file) => `IdentityFile=${optionValue(file)}`),
    `StrictHostKeyChecking=${trustNewHosts ? 'accept-new' : 'yes'}`,
    `UserKnownHostsFile=${knownHosts.map(optionValue).join(' ')}`,
    'GlobalKnownHostsFile=/dev/null',
    'UpdateHostKeys=no',
    'CheckHostIP=no',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'RequestTTY=no',
    'ConnectTimeout=15',
    // Ends a connection that does not respond for a minute, but not a slow one.
    'ServerAliveInterval=15',
    'ServerAliveCountMax=4',
    'LogLevel=ERROR',
  ]
  return ['ssh', '-F', '/dev/null', ...options.flatMap((option) => ['-o', option])].map(shellQuoted).join(' ')
}
