// The settings with which a project's own server starts.

import { findProject, findProjectServer, portsOfOthers, type Records } from '@switchyard/records'

export type DedicatedServerSettings = {
  /** Variables of the project, which override those of the installation. */
  readonly environment: Readonly<Record<string, string>>
  /** Model of sessions that name none. */
  readonly model: string | null
  /** Preferred port. */
  readonly port: number | null
  /** Ports that other servers use or have reserved. */
  readonly reservedPorts: ReadonlySet<number>
}

export const readServerSettings = async (
  { db }: Pick<Records, 'db'>,
  key: string,
): Promise<DedicatedServerSettings> => {
  const [project, row, reservedPorts] = await Promise.all([
    findProject(db, key),
    findProjectServer(db, key),
    portsOfOthers(db, key),
  ])
  return {
    environment: row?.environment ?? {},
    model: project?.model ?? null,
    port: row?.port ?? null,
    reservedPorts,
  }
}
