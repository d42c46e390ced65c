// Who wrote which event: a trigger in the run's own database notes the connection's name beside each event.

import type { World } from './world.ts'

const SETUP = `
  CREATE TABLE IF NOT EXISTS chaos_writers (
    task_id text NOT NULL, seq integer NOT NULL, writer text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE OR REPLACE FUNCTION chaos_note_writer() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO chaos_writers (task_id, seq, writer) VALUES (NEW.task_id, NEW.seq, current_setting('application_name'));
      RETURN NEW;
    END $$;
  CREATE OR REPLACE TRIGGER chaos_writer AFTER INSERT ON task_events FOR EACH ROW EXECUTE FUNCTION chaos_note_writer();`

/** From now on writers are noted. */
export const noteWriters = async (world: World): Promise<void> => {
  await world.postgres.query(SETUP)
}

/** How many events this service wrote for these tasks since then. */
export const writtenBy = async (
  world: World,
  writer: string,
  taskIds: readonly string[],
  since: Date,
): Promise<number> => {
  const [row] = await world.postgres.query<{ count: string }>(
    'SELECT count(*) FROM chaos_writers WHERE writer = $1 AND task_id = ANY ($2) AND at > $3',
    [writer, [...taskIds], since],
  )
  return Number(row?.count ?? 0)
}
