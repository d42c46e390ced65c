// The environment of a command in a sandbox. It receives listed variables only: the server's others include provider keys and
// the server's password.

import { SANDBOX_HOME } from './settings.ts'

const PASSED =
  /^(LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|USER|LOGNAME|CI|(HTTP|HTTPS|ALL|NO|FTP)_PROXY|(http|https|all|no|ftp)_proxy|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_SSL_CAINFO|GIT_(AUTHOR|COMMITTER)_(NAME|EMAIL)|JAVA_HOME|GOROOT|RUSTUP_HOME)$/

export type EnvironmentOptions = {
  readonly shell: string
  /** Names that are passed in addition. */
  readonly passVariables: readonly string[]
}

/** Variables that a sandbox sets itself. */
const OWN: ReadonlySet<string> = new Set(['PATH', 'HOME', 'TMPDIR', 'SHELL', 'AGENT', 'OPENCODE'])

/** Returns the environment of commands with more variables, of which none replaces one that the sandbox sets itself. */
export const extendEnvironment = (
  environment: Readonly<Record<string, string>>,
  variables: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> => ({
  ...environment,
  // A line break would separate the launcher's arguments.
  ...Object.fromEntries(Object.entries(variables).filter(([name, value]) => !OWN.has(name) && !value.includes('\n'))),
})

export const commandEnvironment = (
  env: Readonly<Record<string, string>>,
  { shell, passVariables }: EnvironmentOptions,
): Readonly<Record<string, string>> => {
  const passed = Object.entries(env).filter(
    // A line break would separate the launcher's arguments.
    ([name, value]) => (PASSED.test(name) || passVariables.includes(name)) && !value.includes('\n'),
  )
  return {
    LANG: 'C.UTF-8',
    ...Object.fromEntries(passed),
    PATH: env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: SANDBOX_HOME,
    TMPDIR: '/tmp',
    SHELL: shell,
    // Set by OpenCode, so that programs know that an agent runs them.
    AGENT: '1',
    OPENCODE: '1',
  }
}
