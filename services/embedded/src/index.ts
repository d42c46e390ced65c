// The one-process way to run Switchyard, and its parts for tests, demo and benchmarks.

export { type Postgres, startPostgres } from './postgres/postgres.ts'
