// A system with three keys, and its projects and sessions, for the tests of sessions.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ProjectObject, SentToSession, SessionInfo } from '@switchyard/contracts'
import { openSessionDatabase, type ScriptedModel, type SessionDatabase, startGitDaemon } from '@switchyard/testing'
import { expect } from 'vitest'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import { makeRepository } from './repository.ts'
import { type RestCaller, restCaller } from './rest-caller.ts'
import { type Backend, startSystem } from './system.ts'

export const OPERATOR = 'ops-operator-0123456789'
export const ONE = 'one-agent-0123456789'
export const TWO = 'two-agent-0123456789'

export type Project = { readonly url: string; readonly id: string; readonly baseDir: string; readonly path: string }

export type SessionSystem = {
  readonly url: string
  readonly model: ScriptedModel
  readonly databaseUrl: string
  /** A directory for repositories, outside all projects. */
  readonly repositories: string
  /** Calls with an operator's key. */
  readonly ops: RestCaller
  /** Call with the keys of two agents. */
  readonly one: RestCaller
  readonly two: RestCaller
  /** Calls with the operator's key and all toolsets. */
  readonly mcp: McpCaller
  /** Creates a repository and registers it for this caller. */
  readonly start: (as?: RestCaller, files?: Readonly<Record<string, string>>) => Promise<Project>
  readonly create: (project: Project, body?: object, as?: RestCaller) => Promise<SessionInfo>
  readonly say: (project: Project, session: Ref, text: string, more?: object) => Promise<SentToSession>
  /** Waits until the session's turn has ended. */
  readonly idle: (project: Project, session: Ref) => Promise<void>
  /** Opens OpenCode's own database. */
  readonly sessionRows: () => SessionDatabase
  readonly close: () => Promise<void>
}

type Ref = { readonly id: string }

/** Returns the path of a session. */
export const at = (project: Project, session: Ref) => `${project.path}/session/${session.id}`

type Further = { readonly env?: Readonly<Record<string, string>>; readonly opencode?: object }

export const startSessionSystem = async (
  backend: Backend = 'postgres',
  { env = {}, opencode = {} }: Further = {},
): Promise<SessionSystem> => {
  const repositories = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
  const daemon = await startGitDaemon(repositories)
  const keys = {
    SWITCHYARD_API_KEYS: `ops:operator:${OPERATOR},one:agent:${ONE},two:agent:${TWO}`,
    MCP_TOOLSETS: 'tasks,projects,sessions',
  }
  const system = await startSystem(backend, { ...keys, ...env }, opencode)
  const mcp = await connectMcp(system.url, { key: OPERATOR })
  const ops = restCaller(system.url, OPERATOR)
  let number = 0
  return {
    url: system.url,
    model: system.model,
    databaseUrl: system.databaseUrl,
    repositories,
    ops,
    one: restCaller(system.url, ONE),
    two: restCaller(system.url, TWO),
    mcp,
    start: async (as = ops, files = { 'a.txt': 'a\n' }) => {
      number += 1
      const name = `r${number}`
      const place = await makeRepository(path.join(repositories, name), files)
      // Only operators may pass a path.
      const url = as === ops ? `file://${place}` : daemon.url(name)
      const project = await as.ok<ProjectObject>('POST', '/project/init', { gitURL: url })
      return { url, id: project.id, baseDir: project.worktree ?? '', path: `/project/${project.id}` }
    },
    create: (project, body = {}, as = ops) => as.ok('POST', `${project.path}/session`, body),
    say: (project, session, text, more = {}) =>
      ops.ok('POST', `${at(project, session)}/message`, { parts: [{ type: 'text', text }], ...more }),
    idle: async (project, session) => {
      const status = async () => (await ops.ok<SessionInfo>('GET', at(project, session))).status
      await expect.poll(status, { timeout: 20_000, interval: 100 }).toBe('idle')
    },
    sessionRows: () => openSessionDatabase(path.join(system.home, 'opencode', 'share', 'opencode', 'opencode.db')),
    close: async () => {
      await mcp.close()
      await system.close()
      await daemon.close()
      await rm(repositories, { recursive: true, force: true })
    },
  }
}
