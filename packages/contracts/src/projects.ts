// Projects: repositories registered by their git URL, their sandboxes, and the answers about both.

import { z } from 'zod'
import { serverOfProjectSchema } from './servers.ts'
import { LIMITS } from './task.ts'
import { shortText } from './text.ts'

/**
 * `known`: only tasks have named it. `starting`: being cloned. `waiting_for_key`: its host has not accepted our key yet.
 * `ready`: it can be worked in. `stopped`: its server context is free. `failed`: the start failed, see `detail`.
 */
export const PROJECT_STATUSES = ['known', 'starting', 'waiting_for_key', 'ready', 'stopped', 'failed'] as const
export const projectStatusSchema = z.enum(PROJECT_STATUSES)
export type ProjectStatus = z.infer<typeof projectStatusSchema>

export const isolationSchema = z.enum(['shared', 'dedicated'])
export type Isolation = z.infer<typeof isolationSchema>

const gitUrl = shortText(2_000).describe(
  'A git URL (https, ssh), host/owner/repo; with an operator’s key also a file URL or a local path',
)

export const startProjectSchema = z.object({
  git_url: gitUrl,
  base_dir: shortText(1_000)
    .optional()
    .describe('Your own checkout to work in (operators only); default: a managed one is created'),
  model: shortText(200).optional().describe('provider/model for its sessions and tasks'),
  user_ssh_key: shortText(1_000)
    .optional()
    .describe("Path of your own private key on the worker's host (operators only); default: a deploy key is generated"),
  isolation: isolationSchema
    .optional()
    .describe('shared: on the common OpenCode server; dedicated: on one of its own. Default shared'),
  name: shortText(200).optional(),
})
export type StartProject = z.infer<typeof startProjectSchema>

export const startedProjectSchema = z.object({
  status: z.enum(['started', 'already_running', 'waiting_for_key']),
  project_id: z.string(),
  git_url: z.string(),
  base_dir: z.string().nullable(),
  port: z.number().int().nullable().describe('of the OpenCode server that it is on'),
  url: z.string().nullable().describe('of the OpenCode server that it is on'),
  public_key: z.string().nullable().describe('to add to the repository where status is waiting_for_key'),
  next_step: z.string().nullable().describe('what to do, and what to call then'),
  message: z.string(),
  warnings: z.array(z.string()),
})
export type StartedProject = z.infer<typeof startedProjectSchema>

export const SANDBOX_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/
export const sandboxNameSchema = z
  .string()
  .regex(SANDBOX_NAME, 'is no name for a sandbox: letters, digits, . _ -, 63 at most, the first a letter or digit')

export const createSandboxSchema = z.object({
  name: sandboxNameSchema.describe('Unique in its project'),
  branch: shortText(250).optional().describe('Default: sandbox/<name>. One that exists is continued'),
  base_branch: shortText(250)
    .optional()
    .describe('Branch, tag or commit to begin from; default: the remote’s default branch'),
  start_command: shortText(LIMITS.messageBytes / 10)
    .optional()
    .describe('Run in the new sandbox, where agents run their commands; if it fails, the sandbox is taken back'),
})
export type CreateSandbox = z.infer<typeof createSandboxSchema>

export const sandboxSchema = z.object({
  name: z.string(),
  path: z.string(),
  branch: z.string(),
  base_branch: z.string().nullable(),
  created_at: z.iso.datetime(),
})
export type Sandbox = z.infer<typeof sandboxSchema>

/** What would be lost if a working directory went, and how it stands to where it began. */
export const workStateSchema = z.object({
  branch: z.string().nullable().describe('the branch that is checked out now; null: none'),
  head: z.string().nullable(),
  ahead: z.number().int().nullable().describe('commits that its base does not have'),
  behind: z.number().int().nullable().describe('commits of its base that it does not have'),
  dirty: z.number().int().describe('files that differ from the last commit, untracked ones among them'),
  unpushed: z.number().int().describe('commits that are on no branch of the remote'),
  stashes: z.number().int(),
  disk_bytes: z.number().int().nullable().describe('null: could not be counted in time'),
})
export type WorkState = z.infer<typeof workStateSchema>

export const sandboxEntrySchema = sandboxSchema.extend({
  exists: z.boolean().describe('false: its directory is gone'),
  state: workStateSchema.nullable(),
  tasks: z.number().int().describe('tasks that work in it or wait to'),
})
export type SandboxEntry = z.infer<typeof sandboxEntrySchema>

export const sandboxImportedSchema = z.object({
  name: z.string(),
  branch: z.string(),
  head: z.string().describe('the branch’s new tip'),
  changed: z.number().int().describe('files that are changed and not committed'),
})
export type SandboxImported = z.infer<typeof sandboxImportedSchema>

export const projectInfoSchema = z.object({
  git_url: z.string(),
  project_id: z.string(),
  name: z.string(),
  status: projectStatusSchema,
  detail: z.string().nullable().describe('why it is so, where there is more to say'),
  base_dir: z.string().nullable(),
  default_branch: z.string().nullable(),
  model: z.string().nullable(),
  isolation: isolationSchema,
  port: z.number().int().nullable(),
  url: z.string().nullable(),
  server: serverOfProjectSchema
    .nullable()
    .describe('the OpenCode server that it is on, its own or a shared one; null: none has been there yet'),
  worktrees: z.array(sandboxSchema),
  sessions: z.number().int().nullable().describe('in its directory and its sandboxes; null: nobody could be asked'),
  busy_sessions: z.number().int().describe('of them, and of its tasks’ those that work now'),
  branch: z.string().nullable().describe('that its base directory is on'),
  agents: z.array(z.string()).describe('that OpenCode offers there'),
  running_tasks: z.number().int(),
  warnings: z.array(z.string()),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
export const destroyedProjectSchema = z.object({
  git_url: z.string(),
  project_id: z.string(),
  status: z.literal('destroyed'),
  bundles: z.array(z.string()).describe('git bundles on the worker’s host with the work that was not pushed'),
  message: z.string(),
})
export type DestroyedProject = z.infer<typeof destroyedProjectSchema>

export const sandboxChangedSchema = z.object({
  name: z.string(),
  done: z.enum(['deleted', 'reset']),
  bundle: z.string().nullable().describe('a git bundle on the worker’s host with the work that was not pushed'),
  message: z.string(),
})
export type SandboxChanged = z.infer<typeof sandboxChangedSchema>

export type ProjectInfo = z.infer<typeof projectInfoSchema>

/** One project by itself, with how each of its sandboxes stands. */
export const projectStatusInfoSchema = projectInfoSchema.extend({
  worktrees: z.array(
    sandboxSchema.extend({ state: workStateSchema.nullable().describe('null: could not be read, or not in time') }),
  ),
})
export type ProjectStatusInfo = z.infer<typeof projectStatusInfoSchema>

export const candidateSchema = z.object({
  directory: z.string(),
  git_url: z
    .string()
    .nullable()
    .describe('of its remote; null: it has none, or lies outside the managed place and was not read'),
  managed: z.boolean().describe('it is in WORKSPACES_DIR'),
  source: z.enum(['opencode', 'managed']).describe('who knows it: OpenCode’s list of projects, or the managed place'),
})
export type ProjectCandidate = z.infer<typeof candidateSchema>

export const deployKeySchema = z.object({
  public_key: z.string(),
  fingerprint: z.string().describe('SHA256:…'),
  url: z.string().nullable().describe('the page to add it at; null: the host is not one we know'),
  instructions: z.string(),
})
export type DeployKey = z.infer<typeof deployKeySchema>

export const duplicatesSchema = z.object({
  duplicates: z.array(
    z.object({
      git_url: z.string(),
      project_id: z.string().nullable().describe('null: the repository is not registered'),
      directories: z.array(z.string()),
      advice: z.string(),
    }),
  ),
  truncated: z.boolean().describe('there was more to look at than time for it'),
})
export type Duplicates = z.infer<typeof duplicatesSchema>
