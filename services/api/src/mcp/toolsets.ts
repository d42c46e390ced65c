// Which tools a client sees: all of the sets that the installation chose, or one set by its path.

import type { Toolset } from '@switchyard/config'
import type { HealthCheck } from '../health.ts'
import type { Publishing } from '../projects/publishing.ts'
import type { ProjectService } from '../projects/service.ts'
import type { LlmService } from '../servers/llm.ts'
import type { SessionService } from '../sessions/service.ts'
import type { TaskService } from '../tasks/service.ts'
import { legacyTools } from './legacy-tools.ts'
import { llmTools } from './llm-tools.ts'
import { projectTools } from './project-tools.ts'
import { publishTaskTool } from './publish-tool.ts'
import { recordTools, stateTools } from './record-tools.ts'
import { sessionTools } from './session-tools.ts'
import { taskTools } from './task-tools.ts'
import type { Tool } from './tool.ts'

export type ToolsetDeps = {
  readonly service: TaskService
  readonly projects: ProjectService
  readonly publishing: Publishing
  readonly llm: LlmService
  readonly sessions: SessionService
  readonly health: HealthCheck
  /** Whether the names of older managers are served as well. */
  readonly hasLegacyTools: boolean
}

export type Toolbox = {
  readonly byName: ReadonlyMap<string, Tool>
  readonly listed: readonly Tool['listed'][]
}

const toolsOf = (deps: ToolsetDeps, set: Toolset): readonly Tool[] => {
  switch (set) {
    case 'tasks':
      return [...taskTools(deps.service), ...recordTools(deps.service), publishTaskTool(deps.publishing)]
    case 'projects':
      return [...projectTools(deps), ...llmTools(deps.llm), ...(deps.hasLegacyTools ? legacyTools(deps) : [])]
    case 'sessions':
      return sessionTools(deps.sessions)
  }
}

/** `ping` and `health` are in each. */
export const toolbox = (deps: ToolsetDeps, sets: readonly Toolset[]): Toolbox => {
  const tools = [...sets.flatMap((set) => toolsOf(deps, set)), ...stateTools(deps.health)]
  return { byName: new Map(tools.map((tool) => [tool.name, tool])), listed: tools.map((tool) => tool.listed) }
}
