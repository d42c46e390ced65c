// The whole output of a container, on disk, for whoever looks for what an event has cut.

import { type FileHandle, mkdir, open } from 'node:fs/promises'
import path from 'node:path'
import type { TaskId } from '@switchyard/contracts'

export const outputDirectory = (outputDir: string, taskId: TaskId): string => path.join(outputDir, taskId)

/** Begins anew: whoever follows a container reads it from its beginning. */
export const openOutput = async (outputDir: string, taskId: TaskId, promptId: string): Promise<FileHandle> => {
  const directory = outputDirectory(outputDir, taskId)
  await mkdir(directory, { recursive: true })
  return await open(path.join(directory, `${promptId}.jsonl`), 'w', 0o600)
}
