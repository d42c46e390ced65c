// Every failure that a caller can meet, group by group.

import { dockerErrors } from './docker.ts'
import { infrastructureErrors } from './infrastructure.ts'
import { modelErrors } from './model.ts'
import { notificationErrors } from './notification.ts'
import { projectErrors } from './project.ts'
import { repositoryErrors } from './repository.ts'
import { requestErrors } from './request.ts'
import { sessionErrors } from './session.ts'
import { taskErrors } from './task.ts'
import { workspaceErrors } from './workspace.ts'

export const ERRORS = {
  ...requestErrors,
  ...taskErrors,
  ...workspaceErrors,
  ...modelErrors,
  ...repositoryErrors,
  ...projectErrors,
  ...sessionErrors,
  ...dockerErrors,
  ...notificationErrors,
  ...infrastructureErrors,
}

export type ErrorCode = keyof typeof ERRORS

export const errorCodes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]
