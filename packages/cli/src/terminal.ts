// What a command is given of the world.

export type Terminal = {
  /** Results. */
  readonly out: { write(text: string): unknown }
  /** Progress and failures. */
  readonly err: { write(text: string): unknown }
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The command line was not understood. */
export class UsageError extends Error {}
