// The tools of each endpoint: `/mcp` serves the configured sets, `/mcp/{set}` one set.

import { TOOLSETS, type Toolset } from '@switchyard/config'
import type { HealthCheck } from '../monitoring/health.ts'
import type { Publishing } from '../projects/publishing.ts'
import type { ProjectService } from '../projects/service.ts'
import type { ModelsService } from '../servers/models-service.ts'
import type { SessionService } from '../sessions/service.ts'
import type { TaskService } from '../tasks/service.ts'
import { legacyTools } from './legacy-tools.ts'
import { llmTools } from './llm-tools.ts'
import { projectTools } from './project-tools.ts'
import { publishTaskTool } from './publish-tool.ts'
import { healthTools, recordTools } from './record-tools.ts'
import { sessionTools } from './session-tools.ts'
import { OLDER_EXECUTE_TASK, taskTools } from './task-tools.ts'
import type { Tool } from './tool.ts'

export type ToolsetDeps = {
  readonly service: TaskService
  readonly projects: ProjectService
  readonly publishing: Publishing
  readonly llm: ModelsService
  readonly sessions: SessionService
  readonly health: HealthCheck
  /** Whether to serve the tool names of older managers too. */
  readonly hasLegacyTools: boolean
}

export type Toolbox = {
  readonly byName: ReadonlyMap<string, Tool>
  readonly listed: readonly Tool['listed'][]
}

export type Toolboxes = {
  /** The tools of the configured sets. */
  readonly configured: Toolbox
  readonly bySet: ReadonlyMap<Toolset, Toolbox>
}

const createTools = (deps: ToolsetDeps): Readonly<Record<Toolset, readonly Tool[]>> => {
  const projects = projectTools(deps)
  return {
    tasks: [...taskTools(deps.service), ...recordTools(deps.service), publishTaskTool(deps.publishing)],
    projects: [...projects, ...llmTools(deps.llm), ...(deps.hasLegacyTools ? legacyTools(projects) : [])],
    sessions: sessionTools(deps.sessions),
  }
}

const toolbox = (tools: readonly Tool[], hasLegacyTools: boolean): Toolbox => ({
  byName: new Map(tools.map((tool) => [tool.name, tool])),
  listed: tools.filter(({ name }) => hasLegacyTools || name !== OLDER_EXECUTE_TASK).map((tool) => tool.listed),
})

/** Creates each tool and its schemas once, and groups them by set. `ping` and `health` are in every set. */
export const createToolboxes = (deps: ToolsetDeps, configured: readonly Toolset[]): Toolboxes => {
  const tools = createTools(deps)
  const health = healthTools(deps.health)
  const boxOf = (sets: readonly Toolset[]) =>
    toolbox([...sets.flatMap((set) => tools[set]), ...health], deps.hasLegacyTools)
  return { configured: boxOf(configured), bySet: new Map(TOOLSETS.map((set) => [set, boxOf([set])])) }
}
