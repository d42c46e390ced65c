// Knows the large forges: their alternative host names, and how they write the path of a repository.

/** The web names, and the hosts for ssh over port 443, which passes firewalls that block port 22. */
const ALIASES: Readonly<Record<string, string>> = {
  'ssh.github.com': 'github.com',
  'www.github.com': 'github.com',
  'altssh.gitlab.com': 'gitlab.com',
  'www.gitlab.com': 'gitlab.com',
  'altssh.bitbucket.org': 'bitbucket.org',
  'www.bitbucket.org': 'bitbucket.org',
}

/** Forges on which `Owner/Repo` and `owner/repo` are the same repository. */
const IGNORES_CASE = new Set(['github.com', 'gitlab.com', 'bitbucket.org', 'codeberg.org', 'dev.azure.com'])

const AZURE = 'dev.azure.com'

/** Returns true for hosts on which a path names a repository and never a directory in a user's home. */
export const isForge = (host: string): boolean =>
  IGNORES_CASE.has(ALIASES[host] ?? host) || /(?:^|\.)(?:dev\.azure|visualstudio)\.com$/.test(host)

/**
 * Returns `organization/project/repository`. Azure DevOps has one form of path for ssh, another for https,
 * and older hosts with other forms.
 */
const azurePath = (host: string, path: string): string | undefined => {
  const words = path.split('/')
  if (host === 'ssh.dev.azure.com' || host === 'vs-ssh.visualstudio.com')
    return words[0] === 'v3' && words.length === 4 ? words.slice(1).join('/') : undefined
  const organization = /^([\w-]+)\.visualstudio\.com$/.exec(host)?.[1]
  if (host !== AZURE && organization === undefined) return undefined
  const full =
    organization === undefined ? words : [organization, ...words.filter((word) => word !== 'DefaultCollection')]
  if (full.at(-2) !== '_git') return undefined
  // A URL may leave out the project when its main repository has the same name.
  const [owner, project = full.at(-1), name = full.at(-1)] = full.filter((word) => word !== '_git')
  return `${owner}/${project}/${name}`
}

/**
 * Returns the key of a repository: `host/path`, the same for all its URLs.
 *
 * @param port - empty for the default port of the scheme; any other port becomes part of the key
 */
export const canonicalKey = (given: string, port: string, path: string): string => {
  const azure = azurePath(given, path)
  if (azure !== undefined) return `${AZURE}/${azure}`.toLowerCase()
  const other = ALIASES[given]
  const host = other ?? given
  const isDefault = port === '' || (other !== undefined && port === '443')
  if (!isDefault) return `${host}:${port}/${path}`
  return `${host}/${IGNORES_CASE.has(host) ? path.toLowerCase() : path}`
}
