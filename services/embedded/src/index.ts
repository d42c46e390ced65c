// Switchyard in one process, and its database alone, for whoever starts them from code: demo, tests, benchmarks.

export { type Postgres, type PostgresOptions, startPostgres } from './postgres/postgres.ts'
export { type Embedded, type EmbeddedOptions, startEmbedded } from './start.ts'
