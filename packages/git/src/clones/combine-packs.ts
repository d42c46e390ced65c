// Combines the packs of a repository that only the worker writes. Every fetch adds a pack, and many packs make reading
// slow.

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { git } from '../command/run.ts'

const MAX_PACKS = 50
const TIMEOUT_MS = 10 * 60_000

/** Combines the packs of a git directory if there are more than 50. No object is deleted, reachable or not. */
export const combinePacks = async (gitDir: string, signal: AbortSignal): Promise<void> => {
  const packs = await readdir(path.join(gitDir, 'objects', 'pack')).catch(() => [])
  if (packs.filter((name) => name.endsWith('.pack')).length <= MAX_PACKS) return
  await git(['repack', '--geometric=2', '-d', '-l', '-q'], { cwd: gitDir, signal, timeoutMs: TIMEOUT_MS })
}
