// Projects: repositories registered by their git URL, and their sandboxes.

import { z } from 'zod'
import { serverOfProjectSchema } from './servers.ts'
import { LIMITS } from './task.ts'
import { shortText } from './text.ts'

/**
 * `known`: used by tasks, not registered. `starting`: being cloned. `waiting_for_key`: its host has not accepted our key yet.
 * `ready`: usable. `stopped`: its server resources are released. `failed`: the start failed, see `detail`.
 */
export const PROJECT_STATUSES = ['known', 'starting', 'waiting_for_key', 'ready', 'stopped', 'failed'] as const
export const projectStatusSchema = z.enum(PROJECT_STATUSES)
export type ProjectStatus = z.infer<typeof projectStatusSchema>

export const isolationSchema = z.enum(['shared', 'dedicated'])
export type Isolation = z.infer<typeof isolationSchema>

const gitUrl = shortText(2_000).describe(
  'A git URL (https, ssh) or host/owner/repo, such as https://github.com/acme/app.git; operators may also use a file URL or a local path',
)

export const startProjectSchema = z.object({
  git_url: gitUrl,
  base_dir: shortText(1_000)
    .optional()
    .describe('Path of your own checkout to work in, for operators; by default a managed one is created'),
  model: shortText(200)
    .optional()
    .describe('provider/model for its sessions and tasks, such as anthropic/claude-sonnet-4-5'),
  user_ssh_key: shortText(1_000)
    .optional()
    .describe("Path of your own private key on the worker's host, for operators; by default a deploy key is generated"),
  isolation: isolationSchema
    .optional()
    .describe('shared: uses the shared OpenCode server; dedicated: has a server of its own. Default shared'),
  name: shortText(200).optional(),
})
export type StartProject = z.infer<typeof startProjectSchema>

export const startedProjectSchema = z.object({
  status: z.enum(['started', 'already_running', 'waiting_for_key']),
  project_id: z.string(),
  git_url: z.string(),
  base_dir: z.string().nullable(),
  port: z.number().int().nullable().describe('Of its OpenCode server'),
  url: z.string().nullable().describe('Of its OpenCode server'),
  public_key: z.string().nullable().describe('Public key to add to the repository while status is waiting_for_key'),
  next_step: z.string().nullable().describe('What to do next, and which call to make after that'),
  message: z.string(),
  warnings: z.array(z.string()),
})
export type StartedProject = z.infer<typeof startedProjectSchema>

export const SANDBOX_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/
export const sandboxNameSchema = z
  .string()
  .regex(
    SANDBOX_NAME,
    'is not a valid sandbox name: use at most 63 letters, digits, dots, underscores and hyphens, and start with a letter or digit',
  )

export const createSandboxSchema = z.object({
  name: sandboxNameSchema.describe('Name of the sandbox, unique in the project'),
  branch: shortText(250)
    .optional()
    .describe('Branch to work on; an existing branch is continued. Default sandbox/<name>'),
  base_branch: shortText(250)
    .optional()
    .describe('Branch, tag or commit to start from; default: the default branch of the remote'),
  start_command: shortText(LIMITS.messageBytes / 10)
    .optional()
    .describe('Command to run in the new sandbox, such as npm ci; if it fails, the sandbox is removed'),
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

/** The git state of a working directory: what its deletion would lose, and how it differs from its base. */
export const workStateSchema = z.object({
  branch: z.string().nullable().describe('The branch that is checked out; null if none is'),
  head: z.string().nullable(),
  ahead: z.number().int().nullable().describe('Commits that the base does not have'),
  behind: z.number().int().nullable().describe('Commits of the base that it does not have'),
  dirty: z.number().int().describe('Files that differ from the last commit, including untracked files'),
  unpushed: z.number().int().describe('Commits that are on no branch of the remote'),
  stashes: z.number().int(),
  disk_bytes: z.number().int().nullable().describe('Null if it could not be measured in time'),
})
export type WorkState = z.infer<typeof workStateSchema>

export const sandboxEntrySchema = sandboxSchema.extend({
  exists: z.boolean().describe('False if its directory no longer exists'),
  state: workStateSchema.nullable(),
  tasks: z.number().int().describe('Tasks that run in it or wait to run'),
})
export type SandboxEntry = z.infer<typeof sandboxEntrySchema>

export const sandboxImportedSchema = z.object({
  name: z.string(),
  branch: z.string(),
  head: z.string().describe('The last commit of the branch'),
  changed: z.number().int().describe('Files with uncommitted changes'),
})
export type SandboxImported = z.infer<typeof sandboxImportedSchema>

export const projectInfoSchema = z.object({
  git_url: z.string(),
  project_id: z.string(),
  name: z.string(),
  status: projectStatusSchema,
  detail: z.string().nullable().describe('The reason for the status, if there is one'),
  base_dir: z.string().nullable(),
  default_branch: z.string().nullable(),
  model: z.string().nullable(),
  isolation: isolationSchema,
  port: z.number().int().nullable(),
  url: z.string().nullable(),
  server: serverOfProjectSchema
    .nullable()
    .describe('Its OpenCode server, dedicated or shared; null before the first start'),
  worktrees: z.array(sandboxSchema),
  sessions: z
    .number()
    .int()
    .nullable()
    .describe('Sessions in its directory and sandboxes; null if no server responded'),
  busy_sessions: z.number().int().describe('Sessions with a running turn, including those of its tasks'),
  branch: z.string().nullable().describe('The branch of the base directory'),
  agents: z.array(z.string()).describe('Agents available in the project'),
  running_tasks: z.number().int(),
  warnings: z.array(z.string()),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
})
export const destroyedProjectSchema = z.object({
  git_url: z.string(),
  project_id: z.string(),
  status: z.literal('destroyed'),
  bundles: z.array(z.string()).describe("Paths of git bundles on the worker's host with the work that was not pushed"),
  message: z.string(),
})
export type DestroyedProject = z.infer<typeof destroyedProjectSchema>

export const sandboxChangedSchema = z.object({
  name: z.string(),
  done: z.enum(['deleted', 'reset']),
  bundle: z.string().nullable().describe("Path of a git bundle on the worker's host with the work that was not pushed"),
  message: z.string(),
})
export type SandboxChanged = z.infer<typeof sandboxChangedSchema>

export type ProjectInfo = z.infer<typeof projectInfoSchema>

/** A project with the git state of each sandbox. */
export const projectStatusInfoSchema = projectInfoSchema.extend({
  worktrees: z.array(
    sandboxSchema.extend({ state: workStateSchema.nullable().describe('Null if it could not be read in time') }),
  ),
})
export type ProjectStatusInfo = z.infer<typeof projectStatusInfoSchema>

export const candidateSchema = z.object({
  directory: z.string(),
  git_url: z
    .string()
    .nullable()
    .describe('URL of its remote; null if it has none, or was not read because it is outside the managed directory'),
  managed: z.boolean().describe('Whether it is in WORKSPACES_DIR'),
  source: z
    .enum(['opencode', 'managed'])
    .describe('Where it was found: in the project list of OpenCode, or in the managed directory'),
})
export type ProjectCandidate = z.infer<typeof candidateSchema>

export const deployKeySchema = z.object({
  public_key: z.string(),
  fingerprint: z.string().describe('SHA256:…'),
  url: z.string().nullable().describe('Page on which to add it; null if the host is not known'),
  instructions: z.string(),
})
export type DeployKey = z.infer<typeof deployKeySchema>

export const duplicatesSchema = z.object({
  duplicates: z.array(
    z.object({
      git_url: z.string(),
      project_id: z.string().nullable().describe('Null if the repository is not registered'),
      directories: z.array(z.string()),
      advice: z.string(),
    }),
  ),
  truncated: z.boolean().describe('True if the search stopped at its time limit'),
})
export type Duplicates = z.infer<typeof duplicatesSchema>
