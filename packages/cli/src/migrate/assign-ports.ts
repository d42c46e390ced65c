// Decides which projects keep their ports.

import type { InspectedProject } from './inspect-projects.ts'

/** A port that an entry of the older manager loses. */
export type PortConflict = {
  readonly port: number
  readonly name: string
  /** Continues `port <n> of <name>` as a sentence. */
  readonly why: string
}

/** A running project keeps its port, because callers use it; otherwise the oldest one does. */
const comparePriority = (a: InspectedProject, b: InspectedProject): number =>
  Number(b.project.isRunning) - Number(a.project.isRunning) ||
  ((a.project.createdAt ?? '~') < (b.project.createdAt ?? '~') ? -1 : 1)

/**
 * Assigns each former port to one project at most. Ports in use and Switchyard's own port are not
 * assigned.
 *
 * @param groups - the entries of each project, with the base first
 */
export const assignPorts = (
  groups: readonly (readonly InspectedProject[])[],
  switchyardPort: number | null,
): { readonly ports: ReadonlyMap<InspectedProject, number>; readonly conflicts: readonly PortConflict[] } => {
  const conflicts: PortConflict[] = []
  const ports = new Map<InspectedProject, number>()
  const owners = new Map<number, InspectedProject>()
  const candidates = groups.flatMap((entries) => {
    const [first, ...others] = entries
      .filter(({ project }) => project.port !== null)
      .toSorted((a, b) => Number(b.project.isRunning) - Number(a.project.isRunning))
    if (first === undefined) return []
    for (const { project } of others)
      if (project.port !== null && project.port !== first.project.port)
        conflicts.push({
          port: project.port,
          name: project.name,
          why: `is not used any more: ${project.name} becomes a sandbox of ${first.project.name}, which has port ${first.project.port}`,
        })
    return [first]
  })
  for (const entry of candidates.toSorted(comparePriority)) {
    const { port, name } = entry.project
    if (port === null) continue
    const owner = owners.get(port)
    const refuse = (why: string) => conflicts.push({ port, name, why: `${why}; ${name} gets a free port` })
    if (owner) refuse(`also belongs to ${owner.project.name}, which keeps it`)
    else if (port === switchyardPort) refuse("is Switchyard's own port")
    else if (entry.isPortInUse) {
      const by = entry.processes.map(({ pid, command }) => `process ${pid}, ${command}`).join(' or ')
      refuse(
        `is in use${by === '' ? '' : ` (according to its files by ${by})`}: to keep it, stop that process before the migration`,
      )
    } else {
      owners.set(port, entry)
      ports.set(entry, port)
    }
  }
  return { ports, conflicts }
}
