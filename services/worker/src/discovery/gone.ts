// Marks projects whose directory is missing, and says how to restore it.

import { stat } from 'node:fs/promises'
import { systemErrorCode } from '@switchyard/contracts'
import { listProjects, updateProject } from '@switchyard/records'
import type { ProjectDeps } from '../projects/deps.ts'

export const reportGone = async ({ records, layout, logger }: ProjectDeps): Promise<void> => {
  // When the root of all directories is missing, no single directory counts as missing.
  if (!(await stat(layout.workspaces).catch(() => undefined))) return
  for (const project of await listProjects(records.db)) {
    const { base_dir: directory, status } = project
    if (directory === null || (status !== 'ready' && status !== 'stopped')) continue
    const error = await stat(directory).then(() => null, systemErrorCode)
    if (error !== 'ENOENT') continue
    logger.warn({ project_id: project.id, directory }, 'the directory of a project is missing')
    await updateProject(records.db, project.id, {
      status: 'failed',
      detail: `its directory ${directory} is missing; opencode_project_start creates it again`,
    })
  }
}
