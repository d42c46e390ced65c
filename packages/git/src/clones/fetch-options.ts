// The options of every fetch into a clone.

/** Mirrors the remote's refs, quietly, and runs nothing of the repository beside the fetch. */
export const FETCH_OPTIONS: readonly string[] = [
  '--quiet',
  '--prune',
  '--force',
  '--update-shallow',
  '--no-recurse-submodules',
  '--no-auto-maintenance',
  '--no-write-fetch-head',
]
