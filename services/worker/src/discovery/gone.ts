// Projects whose directory has gone: said on the project, with what brings it back.

import { stat } from 'node:fs/promises'
import { systemErrorCode } from '@switchyard/contracts'
import { listProjects, updateProject } from '@switchyard/records'
import type { ProjectDeps } from '../projects/deps.ts'

export const reportGone = async ({ records, layout, logger }: ProjectDeps): Promise<void> => {
  // Where the place of all directories is not there, it is not they that have gone.
  if (!(await stat(layout.workspaces).catch(() => undefined))) return
  for (const project of await listProjects(records.db)) {
    const { base_dir: directory, status } = project
    if (directory === null || (status !== 'ready' && status !== 'stopped')) continue
    const error = await stat(directory).then(() => null, systemErrorCode)
    if (error !== 'ENOENT') continue
    logger.warn({ project_id: project.id, directory }, 'a project’s directory has gone')
    await updateProject(records.db, project.id, {
      status: 'failed',
      detail: `its directory ${directory} has gone; opencode_project_start makes it anew`,
    })
  }
}
