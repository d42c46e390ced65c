// Starts Switchyard in one process, or its database alone, from code: for the demo, tests and benchmarks.

export { type Postgres, type PostgresOptions, startPostgres } from './postgres/postgres.ts'
export { type Embedded, type EmbeddedOptions, startEmbedded } from './start.ts'
