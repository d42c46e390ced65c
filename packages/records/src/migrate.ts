// Brings the schema up to date: numbered steps, run once, under Kysely's own lock.

import { type Kysely, sql } from 'kysely'
import { DEFAULT_MIGRATION_TABLE, type Migration, Migrator } from 'kysely/migration'
import { tasks } from './migrations/0001-tasks.ts'
import { rollout } from './migrations/0002-rollout.ts'
import { notifications } from './migrations/0003-notifications.ts'
import { projects } from './migrations/0004-projects.ts'
import { matrix } from './migrations/0005-matrix.ts'
import { letta } from './migrations/0006-letta.ts'
import { sessions } from './migrations/0007-sessions.ts'
import { servers } from './migrations/0008-servers.ts'
import { uploads } from './migrations/0009-uploads.ts'
import { probeTimes } from './migrations/0010-probe-times.ts'
import { modelUsage } from './migrations/0011-model-usage.ts'
import { ownerServers } from './migrations/0012-owner-servers.ts'
import { serverDeaths } from './migrations/0013-server-deaths.ts'
import type { Database } from './schema.ts'

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-tasks': tasks,
  '0002-rollout': rollout,
  '0003-notifications': notifications,
  '0004-projects': projects,
  '0005-matrix': matrix,
  '0006-letta': letta,
  '0007-sessions': sessions,
  '0008-servers': servers,
  '0009-uploads': uploads,
  '0010-probe-times': probeTimes,
  '0011-model-usage': modelUsage,
  '0012-owner-servers': ownerServers,
  '0013-server-deaths': serverDeaths,
}

/** Steps that a newer program ran: Kysely refuses a ledger with names it does not know, we run on. */
const stepsOfNewerPrograms = async (db: Kysely<Database>): Promise<Record<string, Migration>> => {
  const ledger = sql.id(DEFAULT_MIGRATION_TABLE)
  const { rows } = await sql<{ there: string | null }>`SELECT to_regclass(${DEFAULT_MIGRATION_TABLE}) AS there`.execute(
    db,
  )
  if (!rows[0]?.there) return {}
  const ran = await sql<{ name: string }>`SELECT name FROM ${ledger}`.execute(db)
  return Object.fromEntries(
    ran.rows.filter((row) => !(row.name in MIGRATIONS)).map((row) => [row.name, { up: async () => {} }]),
  )
}

/**
 * Runs what has not run yet. Safe to call from several processes at once: one migrates, the others wait.
 * A program older than the schema runs nothing and works on: steps only ever add.
 *
 * @returns the names of the steps that ran.
 * @throws the failing step's own error; what ran before it stays.
 */
export const migrate = async (db: Kysely<Database>): Promise<readonly string[]> => {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...(await stepsOfNewerPrograms(db)), ...MIGRATIONS }) },
  })
  const { error, results } = await migrator.migrateToLatest()
  if (error) throw error
  return (results ?? []).map((result) => result.migrationName)
}
