// Which tools a client sees: all of the sets that the installation chose, or one set by its path.

import { TOOLSETS, type Toolset } from '@switchyard/config'
import type { HealthCheck } from '../monitoring/health.ts'
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

export type Toolboxes = {
  /** What the installation chose. */
  readonly chosen: Toolbox
  readonly bySet: ReadonlyMap<Toolset, Toolbox>
}

const makeTools = (deps: ToolsetDeps): Readonly<Record<Toolset, readonly Tool[]>> => {
  const projects = projectTools(deps)
  return {
    tasks: [...taskTools(deps.service), ...recordTools(deps.service), publishTaskTool(deps.publishing)],
    projects: [...projects, ...llmTools(deps.llm), ...(deps.hasLegacyTools ? legacyTools(projects) : [])],
    sessions: sessionTools(deps.sessions),
  }
}

const toolbox = (tools: readonly Tool[]): Toolbox => ({
  byName: new Map(tools.map((tool) => [tool.name, tool])),
  listed: tools.map((tool) => tool.listed),
})

/** Each tool is made once, schemas and all, whatever sets it is in. `ping` and `health` are in each set. */
export const toolboxes = (deps: ToolsetDeps, chosen: readonly Toolset[]): Toolboxes => {
  const tools = makeTools(deps)
  const state = stateTools(deps.health)
  const boxOf = (sets: readonly Toolset[]) => toolbox([...sets.flatMap((set) => tools[set]), ...state])
  return { chosen: boxOf(chosen), bySet: new Map(TOOLSETS.map((set) => [set, boxOf([set])])) }
}
