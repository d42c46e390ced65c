// GET /project, POST /project/init, GET and PATCH /project/{id}, GET /project/{id}/agent, /provider, /config.

import { createRoute, z } from '@hono/zod-openapi'
import {
  agentListSchema,
  changeProjectSchema,
  configObjectSchema,
  initialisedProjectSchema,
  initProjectSchema,
  projectObjectListSchema,
  projectObjectSchema,
  providerListSchema,
} from '@switchyard/contracts'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ProjectApi } from '../project-api/service.ts'
import { failures, jsonBodyOf, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'

const common = { tags: ['Projects'], security: SECURITY }

const EXAMPLE = {
  id: 'proj_01K5A0Z9F6M2Q7R8S9T0V1W2X3',
  name: 'sums',
  gitURL: 'https://github.com/example/sums',
  worktree: '/workspaces/example-sums',
  vcs: 'git',
  branch: 'main',
  createdAt: '2026-03-01T10:00:00.000Z',
  updatedAt: '2026-03-01T10:00:00.000Z',
  lastAccessed: '2026-03-01T10:05:00.000Z',
  sessionCount: 2,
  activeCount: 0,
  taskCount: 0,
  status: 'ready',
  detail: null,
  model: null,
  isolation: 'shared',
  metadata: { description: 'Adds numbers', tags: ['example'], settings: { default: true } },
  children: [{ name: 'parser', worktree: '/workspaces/sandboxes/example-sums/parser', branch: 'sandbox/parser' }],
  permissions: { canEdit: true, canDelete: true, agents: ['letta'] },
  warnings: [],
} as const

const Project = projectObjectSchema.meta({ id: 'Project', examples: [{ ...EXAMPLE }] })
const ProjectList = projectObjectListSchema.extend({ projects: z.array(Project) }).meta({ id: 'ProjectList' })
const InitialisedProject = initialisedProjectSchema.meta({
  id: 'InitialisedProject',
  examples: [{ ...EXAMPLE, publicKey: null, nextStep: null }],
})
const ChangeProject = changeProjectSchema.strict().meta({
  id: 'ChangeProject',
  examples: [{ name: 'sums', metadata: { description: 'Adds numbers', tags: ['example'] } }],
})
const InitProject = initProjectSchema.strict().meta({
  id: 'InitProject',
  examples: [{ gitURL: 'https://github.com/example/sums.git', metadata: { tags: ['example'] } }],
})
const ProviderList = providerListSchema.meta({ id: 'ProviderList' })
const ConfigObject = configObjectSchema.meta({ id: 'DirectoryConfig' })
const AgentList = agentListSchema.meta({ id: 'AgentList' })

const params = z.object({ id: z.string().meta({ description: 'The project id', examples: [EXAMPLE.id] }) })
const query = z.strictObject({
  directory: z
    .string()
    .max(4_096)
    .optional()
    .meta({ description: 'The checkout or a sandbox of a project you may use; default: the checkout' }),
})

const list = createRoute({
  ...common,
  method: 'get',
  path: '/project',
  operationId: 'listProjects',
  summary: 'List projects, newest first',
  responses: { 200: jsonResponse(ProjectList, 'The projects that the key may use'), ...failures() },
})

const init = createRoute({
  ...common,
  method: 'post',
  path: '/project/init',
  operationId: 'initProject',
  summary: 'Register a repository and prepare it for work',
  description:
    'Safe to repeat: each repository is one project. Only the owner and operators may change its settings. If the repository host rejects the deploy key, `status` is `waiting_for_key`; `publicKey` is the key to add, and `nextStep` says where.',
  middleware: [jsonBody],
  request: { body: jsonBodyOf(InitProject) },
  responses: { 200: jsonResponse(InitialisedProject, 'The project'), ...failures(404, 409, 413, 415, 422) },
})

const read = createRoute({
  ...common,
  method: 'get',
  path: '/project/{id}',
  operationId: 'getProject',
  summary: 'Read a project',
  request: { params },
  responses: { 200: jsonResponse(Project, 'The project'), ...failures(404) },
})

const change = createRoute({
  ...common,
  method: 'patch',
  path: '/project/{id}',
  operationId: 'changeProject',
  summary: 'Change a project',
  description: 'Changes the given fields only. Requires the owner or an operator.',
  middleware: [jsonBody],
  request: { params, body: jsonBodyOf(ChangeProject) },
  responses: { 200: jsonResponse(Project, 'The changed project'), ...failures(404, 413, 415) },
})

const agents = createRoute({
  ...common,
  method: 'get',
  path: '/project/{id}/agent',
  operationId: 'listProjectAgents',
  summary: 'List the agents available in a project',
  request: { params, query },
  responses: { 200: jsonResponse(AgentList, 'The agents of OpenCode and of the repository'), ...failures(404, 409) },
})

const providers = createRoute({
  ...common,
  method: 'get',
  path: '/provider',
  operationId: 'listProviders',
  summary: 'List the models available in a directory',
  request: { query },
  responses: { 200: jsonResponse(ProviderList, 'The providers with their models'), ...failures(404, 409) },
})

const config = createRoute({
  ...common,
  method: 'get',
  path: '/config',
  operationId: 'getConfig',
  summary: 'Read the OpenCode configuration of a directory',
  request: { query },
  responses: { 200: jsonResponse(ConfigObject, 'The configuration, without secrets'), ...failures(404, 409) },
})

export const projectRoutes = (api: ProjectApi): RestApp => {
  const app = newRestApp()
  app.openapi(list, async (c) => {
    const projects = [...(await api.list(requireCaller(c.get('caller'))))]
    const active = projects.filter(({ status }) => status === 'ready').length
    return c.json({ projects, total: projects.length, active }, 200)
  })
  app.openapi(init, async (c) =>
    c.json(await api.init(requireCaller(c.get('caller')), c.req.valid('json'), c.req.raw.signal), 200),
  )
  app.openapi(read, async (c) => c.json(await api.read(requireCaller(c.get('caller')), c.req.valid('param').id), 200))
  app.openapi(change, async (c) =>
    c.json(await api.change(requireCaller(c.get('caller')), c.req.valid('param').id, c.req.valid('json')), 200),
  )
  app.openapi(agents, async (c) => {
    const call = { caller: requireCaller(c.get('caller')), project: c.req.valid('param').id, signal: c.req.raw.signal }
    return c.json(await api.agents(call, c.req.valid('query').directory), 200)
  })
  app.openapi(providers, async (c) =>
    c.json(await api.providers(requireCaller(c.get('caller')), c.req.valid('query').directory, c.req.raw.signal), 200),
  )
  app.openapi(config, async (c) =>
    c.json(await api.config(requireCaller(c.get('caller')), c.req.valid('query').directory, c.req.raw.signal), 200),
  )
  return app
}
