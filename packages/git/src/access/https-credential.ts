// Gives git one HTTPS token per host, through a credential helper that reads it from its own environment.
// The token appears in no argument list, URL or configuration, and git sends it only to its host over https.

export type HttpsToken = {
  /** Includes the port unless it is 443. */
  readonly host: string
  /** Undefined: the user name that the forge expects with a token. */
  readonly user: string | undefined
  readonly token: string
}

/** The shell's built-in printf prints the token, so that no process has it as an argument. */
const HELPER =
  '!f() { test "$1" = get || exit 0; printf "username=%s\\npassword=%s\\n" "$SWITCHYARD_GIT_USER" "$SWITCHYARD_GIT_TOKEN"; }; f'

const userFor = ({ host, user }: HttpsToken): string =>
  user ?? (host === 'bitbucket.org' ? 'x-token-auth' : 'x-access-token')

/** Returns the environment and settings with which git uses a token. */
export const httpsCredential = (
  token: HttpsToken,
): { readonly env: Readonly<Record<string, string>>; readonly config: readonly string[] } => ({
  env: { SWITCHYARD_GIT_USER: userFor(token), SWITCHYARD_GIT_TOKEN: token.token },
  // git calls a helper with this name only for this host, also after a redirect.
  config: [`credential.https://${token.host}.helper=${HELPER}`],
})

/** Returns the host of an https URL in the form of `HttpsToken.host`. */
export const tokenHostOf = (url: string): string => new URL(url).host
