// The session routes of the multi-project HTTP API.

import type { SessionService } from '../../sessions/service.ts'
import { newRestApp, type RestApp } from '../route.ts'
import { addEventOperations } from './events.ts'
import { addFileOperations } from './files.ts'
import { addMessageOperations } from './messages.ts'
import { addSessionOperations } from './sessions.ts'

export const sessionRoutes = (service: SessionService): RestApp => {
  const app = newRestApp()
  addSessionOperations(app, service)
  addMessageOperations(app, service)
  addFileOperations(app, service)
  addEventOperations(app, service)
  return app
}
