// What a migration would do: from what was found, without a look at anything else.

import { isInside, MODEL_NAME } from '@switchyard/contracts'
import { type RepositoryIdentity, sshAddress } from '@switchyard/git'
import type { Finding, Findings } from './findings.ts'
import { hasCredentials, identityOf, keyOf, safeName } from './identity.ts'
import type { Clone, Look } from './look.ts'
import { assignPorts, type PortClash } from './ports.ts'
import type { Skipped } from './read/config.ts'
import type { LegacyTree } from './read/tree.ts'
import { type PlannedSandbox, planSandboxes } from './sandboxes.ts'

export type PlannedProject = {
  /** Of its repository, as Switchyard has it. */
  readonly key: string
  readonly gitUrl: string
  readonly name: string
  readonly description: string | null
  /** The entries of the older manager that are this project; the first one's clone is its base. */
  readonly entries: readonly string[]
  /** The user's own checkout, which the project goes on with; null: Switchyard clones into its own place. */
  readonly baseDir: string | null
  /** One that is not handed over is used where it is. */
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
  readonly ports: readonly PortClash[]
  readonly findings: readonly Finding[]
  /** Every checkout that the backup saves. */
  readonly clones: readonly { readonly name: string; readonly directory: string }[]
}

export type PlanOptions = {
  /** Every project on Switchyard's shared server: ports and passwords stay behind. */
  readonly isShared: boolean
  /** No place of the user's own is gone on with: Switchyard clones, and keys are handed over. */
  readonly isManaged: boolean
  /** Where Switchyard itself listens. */
  readonly switchyardPort: number | null
}

type Group = { readonly identity: RepositoryIdentity; readonly looks: readonly Look[] }

const whereOf = ({ project }: Look): string => project.sources[0] ?? project.name

/** What its clone says its remote is counts for more than a file beside it. */
const repositoryOf = (look: Look, findings: Findings): RepositoryIdentity | null => {
  const { project, clone } = look
  const remote = clone?.isReadable ? clone.state.remote : null
  const [ofClone, ofEntry] = [identityOf(remote), identityOf(project.gitUrl)]
  if (remote !== null && ofClone === null)
    findings.warning(whereOf(look), 'the remote of its clone is no URL that Switchyard knows')
  for (const url of [remote, project.gitUrl])
    if (url !== null && hasCredentials(url))
      findings.warning(
        whereOf(look),
        'a URL of it holds a password or token, which is left out: put it into GIT_HTTPS_TOKENS',
      )
  if (ofClone && ofEntry && keyOf(remote) !== keyOf(project.gitUrl))
    findings.warning(
      whereOf(look),
      `its clone’s remote was changed to ${ofClone.displayUrl}; it is taken for that project, not for ${ofEntry.displayUrl}`,
    )
  if (ofClone ?? ofEntry) return ofClone ?? ofEntry
  // A repository of this machine alone is known by where it is.
  return clone?.isReadable ? identityOf(clone.state.directory) : null
}

const workOf = (clone: Clone | null): number =>
  clone?.isReadable ? clone.state.unpushed + clone.state.changed + clone.state.stashes : -1

const timeOf = ({ project, clone }: Look): string =>
  (clone?.isReadable ? clone.state.lastCommitAt : null) ?? project.createdAt ?? ''

/** A checkout of the user's own that the project can go on with. */
const isOwn = ({ project, clone }: Look): boolean => project.isOutside && clone?.isReadable === true

/**
 * The first is the base, which the others become sandboxes of: the user's own checkout, else the clone with most work, else the
 * one that runs, else the newest.
 */
const byWorth = (a: Look, b: Look): number =>
  Number(isOwn(b)) - Number(isOwn(a)) ||
  workOf(b.clone) - workOf(a.clone) ||
  Number(b.project.isRunning) - Number(a.project.isRunning) ||
  (timeOf(a) < timeOf(b) ? 1 : timeOf(a) > timeOf(b) ? -1 : 0)

const group = (
  root: string,
  looks: readonly Look[],
  skip: (look: Look, why: string) => void,
  findings: Findings,
): readonly Group[] => {
  const groups = new Map<string, { identity: RepositoryIdentity; looks: Look[] }>()
  for (const look of looks) {
    const identity = repositoryOf(look, findings)
    if (identity === null) {
      skip(look, 'nothing says which repository it is: no git_url, and no clone with a remote')
      continue
    }
    // Switchyard works in a repository that has no remote where it is: it would write into the older manager's tree.
    if (identity.kind === 'path' && isInside(root, identity.key)) {
      skip(look, `it has no remote, and ${identity.key} is in the older manager’s tree: push it, or copy it elsewhere`)
      continue
    }
    const key = keyOf(identity.displayUrl) ?? identity.key
    const known = groups.get(key)
    if (known) known.looks.push(look)
    else groups.set(key, { identity, looks: [look] })
  }
  return [...groups.values()].map(({ identity, looks: all }) => ({ identity, looks: all.toSorted(byWorth) }))
}

/** A key opens ssh alone; the older manager, too, used it so, whatever the URL was. */
const urlFor = (identity: RepositoryIdentity, hasKey: boolean, where: string, findings: Findings): string => {
  const url = identity.displayUrl
  if (!hasKey || identity.kind !== 'https') return url
  const address = sshAddress(identity)
  if (address === undefined)
    findings.warning(
      where,
      `its key is for ssh, and the ssh address of ${url} is unknown: put a token into GIT_HTTPS_TOKENS, or start the project by its ssh URL`,
    )
  return address ?? url
}

const planProject = (
  { identity, looks }: Group,
  ports: ReadonlyMap<Look, number>,
  tree: LegacyTree,
  options: PlanOptions,
  findings: Findings,
): PlannedProject => {
  const [base, ...duplicates] = looks
  if (base === undefined) throw new RangeError('a group has at least one entry')
  const clone = base.clone?.isReadable ? base.clone.state : null
  const baseDir = !options.isManaged && base.project.isOutside && clone !== null ? clone.directory : null
  if (identity.kind === 'path')
    findings.warning(
      whereOf(base),
      `has no remote: it is known by its path ${identity.key}, and its sessions are not portable`,
    )
  const key = looks.map(({ project }) => project.key).find((found) => found !== null) ?? null
  const model = looks.map(({ project }) => project.model).find((found) => found !== null) ?? null
  if (model !== null && !MODEL_NAME.test(model))
    findings.warning(whereOf(base), `its model ${model} is not provider/model; it is left out`)
  const holder = looks.find((look) => ports.has(look))
  const port = options.isShared || holder === undefined ? null : (ports.get(holder) ?? null)
  // The password that callers of that port have.
  const password = holder?.project.password ?? tree.password
  return {
    key: identity.key,
    gitUrl: urlFor(identity, key !== null, whereOf(base), findings),
    name: base.project.name,
    description: base.project.description,
    entries: looks.map(({ project }) => project.name),
    baseDir,
    sshKey:
      key === null || identity.kind === 'path'
        ? null
        : { path: key.path, isHandedOver: !key.isOutside || options.isManaged },
    port,
    password: options.isShared || port === null ? null : password,
    model: model !== null && MODEL_NAME.test(model) ? model : null,
    sandboxes: planSandboxes(base, duplicates, baseDir !== null, findings),
  }
}

export const makePlan = (tree: LegacyTree, looks: readonly Look[], options: PlanOptions, findings: Findings): Plan => {
  const skipped: Skipped[] = [...tree.skipped]
  const groups = group(
    tree.root,
    looks,
    (look, why) => skipped.push({ name: look.project.name, where: whereOf(look), why }),
    findings,
  )
  for (const look of looks)
    for (const { pid, command } of look.processes)
      findings.note(whereOf(look), `process ${pid} is alive and is ${command}: not ours to stop`)
  const { ports, clashes } = assignPorts(
    groups.map((each) => each.looks),
    options.switchyardPort,
  )
  if (tree.defaultServer !== null)
    findings.note(
      tree.defaultServer,
      'was the default server: name the project in calls, or choose the default project in Switchyard',
    )
  const projects = groups.map((each) => planProject(each, ports, tree, options, findings))
  return {
    from: tree.root,
    projects,
    skipped,
    ports: options.isShared ? [] : clashes,
    findings: findings.all,
    clones: clonesOf(looks),
  }
}

const clonesOf = (looks: readonly Look[]): Plan['clones'] => {
  const found = new Map<string, string>()
  for (const { project, clone, worktrees } of looks)
    for (const [name, each] of [
      [project.name, clone] as const,
      ...worktrees.map((one) => [one.name, one.clone] as const),
    ])
      if (each?.isReadable) found.set(each.state.directory, safeName(name))
  return [...found].map(([directory, name], at) => ({ name: `${at + 1}-${name}`, directory }))
}
