// Which project keeps its port, and why another does not.

import type { Look } from './look.ts'

export type PortClash = {
  readonly port: number
  readonly name: string
  readonly why: string
}

/** A project that runs is used by somebody; then the older one. */
const byClaim = (a: Look, b: Look): number =>
  Number(b.project.isRunning) - Number(a.project.isRunning) ||
  ((a.project.createdAt ?? '~') < (b.project.createdAt ?? '~') ? -1 : 1)

/** @param groups - the entries of each project, its base first */
export const assignPorts = (
  groups: readonly (readonly Look[])[],
  switchyardPort: number | null,
): { readonly ports: ReadonlyMap<Look, number>; readonly clashes: readonly PortClash[] } => {
  const clashes: PortClash[] = []
  const ports = new Map<Look, number>()
  const holders = new Map<number, Look>()
  const wanted = groups.flatMap((looks) => {
    const [first, ...others] = looks
      .filter(({ project }) => project.port !== null)
      .toSorted((a, b) => Number(b.project.isRunning) - Number(a.project.isRunning))
    if (first === undefined) return []
    for (const { project } of others)
      if (project.port !== null && project.port !== first.project.port)
        clashes.push({
          port: project.port,
          name: project.name,
          why: `is given up: it becomes a part of the project of ${first.project.name}, which has port ${first.project.port}`,
        })
    return [first]
  })
  for (const look of wanted.toSorted(byClaim)) {
    const { port, name } = look.project
    if (port === null) continue
    const holder = holders.get(port)
    const refuse = (why: string) => clashes.push({ port, name, why: `${why}; it gets a free one` })
    if (holder) refuse(`is ${holder.project.name}’s too, which keeps it`)
    else if (port === switchyardPort) refuse('is Switchyard’s own')
    else if (look.isPortTaken) {
      const by = look.processes.map(({ pid, command }) => `${command}, process ${pid}`).join(' or ')
      refuse(
        `is in use now${by === '' ? '' : ` (by ${by}, if its files are right)`}: stop what listens there before the migration to keep it`,
      )
    } else {
      holders.set(port, look)
      ports.set(look, port)
    }
  }
  return { ports, clashes }
}
