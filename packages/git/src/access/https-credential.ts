// HTTPS tokens, one a host, given to git through a credential helper that reads them from its own environment: a token is
// in no argument list, URL or configuration, and goes to its host alone and over https alone.

export type HttpsToken = {
  /** With the port where it is not 443. */
  readonly host: string
  /** Undefined: what the forge expects beside a token. */
  readonly user: string | undefined
  readonly token: string
}

/** Run by a shell, whose own printf prints: no process has the token as an argument. */
const HELPER =
  '!f() { test "$1" = get || exit 0; printf "username=%s\\npassword=%s\\n" "$SWITCHYARD_GIT_USER" "$SWITCHYARD_GIT_TOKEN"; }; f'

const userFor = ({ host, user }: HttpsToken): string =>
  user ?? (host === 'bitbucket.org' ? 'x-token-auth' : 'x-access-token')

/** For a connection to the token's host. */
export const httpsCredential = (
  token: HttpsToken,
): { readonly env: Readonly<Record<string, string>>; readonly config: readonly string[] } => ({
  env: { SWITCHYARD_GIT_USER: userFor(token), SWITCHYARD_GIT_TOKEN: token.token },
  // Git asks a helper of this name for this host alone, also after a redirect.
  config: [`credential.https://${token.host}.helper=${HELPER}`],
})

/** The host of an https URL, as tokens name it. */
export const hostOf = (url: string): string => new URL(url).host
