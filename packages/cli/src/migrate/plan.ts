// Creates the plan of a migration from the older manager's files and the inspected clones. Does no
// I/O.

import { isInside, MODEL_NAME } from '@switchyard/contracts'
import { type RepositoryIdentity, sshAddress } from '@switchyard/git'
import { assignPorts, type PortConflict } from './assign-ports.ts'
import type { Diagnostic, Diagnostics } from './diagnostics.ts'
import type { InspectedClone, InspectedProject } from './inspect-projects.ts'
import { type PlannedSandbox, planSandboxes } from './plan-sandboxes.ts'
import type { LegacyTree } from './read/legacy-tree.ts'
import type { Skipped } from './read/server-list.ts'
import { hasCredentials, parseIdentity, repositoryKey, safeName } from './repository-urls.ts'

export type PlannedProject = {
  /** Switchyard's key of the repository. */
  readonly key: string
  readonly gitUrl: string
  readonly name: string
  readonly description: string | null
  /** The older manager's entries that this project replaces, with the base first. */
  readonly entries: readonly string[]
  /**
   * The operator's own checkout that the project continues in; null if Switchyard clones the
   * repository.
   */
  readonly baseDir: string | null
  /**
   * `isHandedOver`: Switchyard stores a copy of the key. Otherwise it uses the file where it is.
   */
  readonly sshKey: { readonly path: string; readonly isHandedOver: boolean } | null
  readonly port: number | null
  readonly password: string | null
  readonly model: string | null
  readonly sandboxes: readonly PlannedSandbox[]
}

export type Plan = {
  readonly from: string
  readonly projects: readonly PlannedProject[]
  readonly skipped: readonly Skipped[]
  readonly ports: readonly PortConflict[]
  readonly findings: readonly Diagnostic[]
  /** The checkouts to back up. */
  readonly clones: readonly { readonly name: string; readonly directory: string }[]
}

export type PlanOptions = {
  /** Run every project on Switchyard's shared server, without its former port and password. */
  readonly isShared: boolean
  /**
   * Clone every repository and copy every key, instead of using the operator's own checkouts and
   * keys.
   */
  readonly isManaged: boolean
  /** The port that Switchyard itself listens on. */
  readonly switchyardPort: number | null
}

/** The entries of one repository, with the base first. */
type Group = { readonly identity: RepositoryIdentity; readonly entries: readonly InspectedProject[] }

const whereOf = ({ project }: InspectedProject): string => project.sources[0] ?? project.name

/** Finds the repository of an entry. The remote of its clone takes precedence over the files. */
const repositoryOf = (entry: InspectedProject, diagnostics: Diagnostics): RepositoryIdentity | null => {
  const { project, clone } = entry
  const remote = clone?.isReadable ? clone.state.remote : null
  const [ofClone, ofEntry] = [parseIdentity(remote), parseIdentity(project.gitUrl)]
  if (remote !== null && ofClone === null)
    diagnostics.warning(whereOf(entry), "its clone's remote is not a repository URL")
  for (const url of [remote, project.gitUrl])
    if (url !== null && hasCredentials(url))
      diagnostics.warning(
        whereOf(entry),
        'its URL contains a password or token, which is not migrated: add it to GIT_HTTPS_TOKENS',
      )
  if (ofClone && ofEntry && repositoryKey(remote) !== repositoryKey(project.gitUrl))
    diagnostics.warning(
      whereOf(entry),
      `its clone's remote was changed to ${ofClone.displayUrl}; it is migrated to that project, not to ${ofEntry.displayUrl}`,
    )
  if (ofClone ?? ofEntry) return ofClone ?? ofEntry
  // A repository without a remote is identified by its path.
  return clone?.isReadable ? parseIdentity(clone.state.directory) : null
}

const countUnpushedWork = (clone: InspectedClone | null): number =>
  clone?.isReadable ? clone.state.unpushed + clone.state.changed + clone.state.stashes : -1

const timeOf = ({ project, clone }: InspectedProject): string =>
  (clone?.isReadable ? clone.state.lastCommitAt : null) ?? project.createdAt ?? ''

/**
 * Returns whether the entry has a checkout of the operator's own that the project can continue in.
 */
const hasOwnCheckout = ({ project, clone }: InspectedProject): boolean =>
  project.isOutside && clone?.isReadable === true

/**
 * Sorts the entries of a repository. The first is the base, and the others become its sandboxes:
 * the operator's own checkout, else the clone with the most unpushed work, else the running one,
 * else the newest.
 */
const compareAsBase = (a: InspectedProject, b: InspectedProject): number =>
  Number(hasOwnCheckout(b)) - Number(hasOwnCheckout(a)) ||
  countUnpushedWork(b.clone) - countUnpushedWork(a.clone) ||
  Number(b.project.isRunning) - Number(a.project.isRunning) ||
  (timeOf(a) < timeOf(b) ? 1 : timeOf(a) > timeOf(b) ? -1 : 0)

const groupByRepository = (
  root: string,
  inspected: readonly InspectedProject[],
  skip: (entry: InspectedProject, why: string) => void,
  diagnostics: Diagnostics,
): readonly Group[] => {
  const groups = new Map<string, { identity: RepositoryIdentity; entries: InspectedProject[] }>()
  for (const entry of inspected) {
    const identity = repositoryOf(entry, diagnostics)
    if (identity === null) {
      skip(entry, 'its repository is unknown: it has no git_url, and no clone with a remote')
      continue
    }
    // Switchyard uses a repository without a remote in place, so it would write into the older
    // manager's tree.
    if (identity.kind === 'path' && isInside(root, identity.key)) {
      skip(
        entry,
        `it has no remote, and ${identity.key} is inside the older manager's tree: push it, or copy it elsewhere`,
      )
      continue
    }
    const key = repositoryKey(identity.displayUrl) ?? identity.key
    const known = groups.get(key)
    if (known) known.entries.push(entry)
    else groups.set(key, { identity, entries: [entry] })
  }
  return [...groups.values()].map(({ identity, entries }) => ({ identity, entries: entries.toSorted(compareAsBase) }))
}

/**
 * Returns the URL to register. A deploy key works with ssh only, so a project with one gets its ssh
 * URL.
 */
const urlFor = (identity: RepositoryIdentity, hasKey: boolean, where: string, diagnostics: Diagnostics): string => {
  const url = identity.displayUrl
  if (!hasKey || identity.kind !== 'https') return url
  const address = sshAddress(identity)
  if (address === undefined)
    diagnostics.warning(
      where,
      `its key works with ssh only, and the ssh address of ${url} is unknown: add a token to GIT_HTTPS_TOKENS, or start the project by its ssh URL`,
    )
  return address ?? url
}

const planProject = (
  { identity, entries }: Group,
  ports: ReadonlyMap<InspectedProject, number>,
  tree: LegacyTree,
  options: PlanOptions,
  diagnostics: Diagnostics,
): PlannedProject => {
  const [base, ...duplicates] = entries
  if (base === undefined) throw new RangeError('a group has at least one entry')
  const clone = base.clone?.isReadable ? base.clone.state : null
  const baseDir = !options.isManaged && base.project.isOutside && clone !== null ? clone.directory : null
  if (identity.kind === 'path')
    diagnostics.warning(
      whereOf(base),
      `has no remote: its path ${identity.key} identifies it, so another machine cannot continue its sessions`,
    )
  const key = entries.map(({ project }) => project.key).find((found) => found !== null) ?? null
  const model = entries.map(({ project }) => project.model).find((found) => found !== null) ?? null
  if (model !== null && !MODEL_NAME.test(model))
    diagnostics.warning(whereOf(base), `its model ${model} does not have the form provider/model; it is ignored`)
  const portOwner = entries.find((entry) => ports.has(entry))
  const port = options.isShared || portOwner === undefined ? null : (ports.get(portOwner) ?? null)
  // Callers of that port use this password.
  const password = portOwner?.project.password ?? tree.password
  return {
    key: identity.key,
    gitUrl: urlFor(identity, key !== null, whereOf(base), diagnostics),
    name: base.project.name,
    description: base.project.description,
    entries: entries.map(({ project }) => project.name),
    baseDir,
    sshKey:
      key === null || identity.kind === 'path'
        ? null
        : { path: key.path, isHandedOver: !key.isOutside || options.isManaged },
    port,
    password: options.isShared || port === null ? null : password,
    model: model !== null && MODEL_NAME.test(model) ? model : null,
    sandboxes: planSandboxes(base, duplicates, baseDir !== null, diagnostics),
  }
}

/** Creates the plan. Adds what the operator should know to `diagnostics`. */
export const createMigrationPlan = (
  tree: LegacyTree,
  inspected: readonly InspectedProject[],
  options: PlanOptions,
  diagnostics: Diagnostics,
): Plan => {
  const skipped: Skipped[] = [...tree.skipped]
  const groups = groupByRepository(
    tree.root,
    inspected,
    (entry, why) => skipped.push({ name: entry.project.name, where: whereOf(entry), why }),
    diagnostics,
  )
  for (const entry of inspected)
    for (const { pid, command } of entry.processes)
      diagnostics.note(whereOf(entry), `process ${pid} (${command}) is running; the migration does not stop it`)
  const { ports, conflicts } = assignPorts(
    groups.map(({ entries }) => entries),
    options.switchyardPort,
  )
  if (tree.defaultServer !== null)
    diagnostics.note(
      tree.defaultServer,
      'was the default server: name the project in calls, or set a default project in Switchyard',
    )
  const projects = groups.map((each) => planProject(each, ports, tree, options, diagnostics))
  return {
    from: tree.root,
    projects,
    skipped,
    ports: options.isShared ? [] : conflicts,
    findings: diagnostics.all,
    clones: clonesOf(inspected),
  }
}

const clonesOf = (inspected: readonly InspectedProject[]): Plan['clones'] => {
  const found = new Map<string, string>()
  for (const { project, clone, worktrees } of inspected)
    for (const [name, each] of [
      [project.name, clone] as const,
      ...worktrees.map((one) => [one.name, one.clone] as const),
    ])
      if (each?.isReadable) found.set(each.state.directory, safeName(name))
  return [...found].map(([directory, name], at) => ({ name: `${at + 1}-${name}`, directory }))
}
