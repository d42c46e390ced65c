// Records which service wrote each event, with a trigger in the run's database.

import type { TestSystem } from './system.ts'

const SETUP = `
  CREATE TABLE IF NOT EXISTS chaos_writers (
    task_id text NOT NULL, seq integer NOT NULL, writer text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE OR REPLACE FUNCTION chaos_record_writer() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO chaos_writers (task_id, seq, writer) VALUES (NEW.task_id, NEW.seq, current_setting('application_name'));
      RETURN NEW;
    END $$;
  CREATE OR REPLACE TRIGGER chaos_writer AFTER INSERT ON task_events FOR EACH ROW EXECUTE FUNCTION chaos_record_writer();`

/** Records the writer of every event from now on. */
export const recordWriters = async (system: TestSystem): Promise<void> => {
  await system.postgres.query(SETUP)
}

/** Returns how many events a service wrote for these tasks since a time. */
export const countEventsWrittenBy = async (
  system: TestSystem,
  writer: string,
  taskIds: readonly string[],
  since: Date,
): Promise<number> => {
  const [row] = await system.postgres.query<{ count: string }>(
    'SELECT count(*) FROM chaos_writers WHERE writer = $1 AND task_id = ANY ($2) AND at > $3',
    [writer, [...taskIds], since],
  )
  return Number(row?.count ?? 0)
}
