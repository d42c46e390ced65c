// What is known of the large forges: the hosts they also answer under, and how they write a repository's path.

/** ssh over port 443, for networks that let nothing else out, and the web's own name. */
const ALSO: Readonly<Record<string, string>> = {
  'ssh.github.com': 'github.com',
  'www.github.com': 'github.com',
  'altssh.gitlab.com': 'gitlab.com',
  'www.gitlab.com': 'gitlab.com',
  'altssh.bitbucket.org': 'bitbucket.org',
  'www.bitbucket.org': 'bitbucket.org',
}

/** `Owner/Repo` and `owner/repo` are one repository there. */
const IGNORES_CASE = new Set(['github.com', 'gitlab.com', 'bitbucket.org', 'codeberg.org', 'dev.azure.com'])

const AZURE = 'dev.azure.com'

/** Whether paths there name repositories, and never places in a user's home. */
export const isForge = (host: string): boolean =>
  IGNORES_CASE.has(ALSO[host] ?? host) || /(?:^|\.)(?:dev\.azure|visualstudio)\.com$/.test(host)

/** Azure DevOps has one path for ssh, another for https, and older hosts for both. */
const azurePath = (host: string, path: string): string | undefined => {
  const words = path.split('/')
  if (host === 'ssh.dev.azure.com' || host === 'vs-ssh.visualstudio.com')
    return words[0] === 'v3' && words.length === 4 ? words.slice(1).join('/') : undefined
  const organization = /^([\w-]+)\.visualstudio\.com$/.exec(host)?.[1]
  if (host !== AZURE && organization === undefined) return undefined
  const full =
    organization === undefined ? words : [organization, ...words.filter((word) => word !== 'DefaultCollection')]
  if (full.at(-2) !== '_git') return undefined
  // A project's main repository bears its name, and may leave it out.
  const [owner, project = full.at(-1), name = full.at(-1)] = full.filter((word) => word !== '_git')
  return `${owner}/${project}/${name}`
}

/** The one key of a repository: `host/path`, with the port where it is not the default one (empty otherwise). */
export const canonicalPlace = (given: string, port: string, path: string): string => {
  const azure = azurePath(given, path)
  if (azure !== undefined) return `${AZURE}/${azure}`.toLowerCase()
  const other = ALSO[given]
  const host = other ?? given
  const isDefault = port === '' || (other !== undefined && port === '443')
  if (!isDefault) return `${host}:${port}/${path}`
  return `${host}/${IGNORES_CASE.has(host) ? path.toLowerCase() : path}`
}
