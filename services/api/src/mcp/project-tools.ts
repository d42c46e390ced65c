// The tools for repositories: register them, look at them, work in them, give them up.

import type { ToolAnnotations } from '@modelcontextprotocol/server'
import {
  candidateSchema,
  createSandboxSchema,
  deployKeySchema,
  destroyedProjectSchema,
  duplicatesSchema,
  projectInfoSchema,
  projectStatusInfoSchema,
  publishedSchema,
  publishSchema,
  sandboxChangedSchema,
  sandboxEntrySchema,
  sandboxSchema,
  startedProjectSchema,
  startProjectSchema,
} from '@switchyard/contracts'
import { z } from 'zod'
import type { Publishing } from '../projects/publishing.ts'
import type { ProjectService } from '../projects/service.ts'
import { defineTool, READS, type Tool } from './tool.ts'

const gitUrl = z.string().min(1).max(2_000).describe('The repository’s URL or path, or its project_id')

const startTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_project_start',
    title: 'Start a project',
    description:
      'Registers a repository by its git URL, clones it and makes it ready to work in. Safe to repeat: one repository is one project, whatever its URL looks like.',
    input: startProjectSchema.strict(),
    output: startedProjectSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    run: async (input, { caller, signal }) => await projects.start(caller, input, signal),
  })

const listTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_project_list',
    title: 'List projects',
    description: 'The registered repositories that your key may use, the newest first, with their sandboxes.',
    input: z.strictObject({}),
    output: z.object({
      projects: z.array(projectInfoSchema),
      candidates: z
        .array(candidateSchema)
        .describe(
          'repositories on disk that are no projects yet, for operators; opencode_project_start makes one a project',
        ),
    }),
    annotations: READS,
    run: async (_input, { caller }) => ({
      projects: [...(await projects.list(caller))],
      candidates: [...(await projects.candidates(caller))],
    }),
  })

const statusTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_project_status',
    title: 'Read a project',
    description: 'How a repository is: its status, directory, sandboxes with git’s state, sessions and running tasks.',
    input: z.strictObject({ git_url: gitUrl }),
    output: projectStatusInfoSchema,
    annotations: READS,
    run: async (input, { caller, signal }) => await projects.status(caller, input.git_url, signal),
  })

const stopTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_project_stop',
    title: 'Stop a project',
    description:
      'Ends what its sessions do and frees what its server holds for it. Files, sandboxes and sessions stay; opencode_project_start takes it up again. Of a project that is shared with you: while no other key’s task is open.',
    input: z.strictObject({ git_url: gitUrl }),
    output: projectInfoSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    run: async (input, { caller, signal }) => await projects.stop(caller, input.git_url, signal),
  })

const createSandboxTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_sandbox_create',
    title: 'Make a sandbox',
    description:
      'A working directory of its own on a branch of the project, beside its other ones. Tasks and sessions can name it. Safe to repeat with the same name and branch.',
    input: createSandboxSchema.extend({ git_url: gitUrl }).strict(),
    output: sandboxSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    run: async ({ git_url, ...input }, { caller, signal }) =>
      await projects.createSandbox(caller, git_url, input, signal),
  })

const force = z
  .boolean()
  .optional()
  .describe('Cancel what works there and bundle what would be lost, instead of refusing. Default false')

const CHANGES: ToolAnnotations = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: false,
}

const restartTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_project_restart',
    title: 'Restart a project',
    description:
      'Stops a project, as opencode_project_stop may, and starts it again: its remote is fetched, its files stay as they are.',
    input: z.strictObject({ git_url: gitUrl }),
    output: projectInfoSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    run: async (input, { caller, signal }) => await projects.restart(caller, input.git_url, signal),
  })

const destroyTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_project_destroy',
    title: 'Destroy a project',
    description:
      'Deletes what was made for a repository here (its directory, sandboxes, sessions) and takes the registration back. Refuses while tasks run in it or work would be lost, unless forced: that work is bundled first.',
    input: z.strictObject({ git_url: gitUrl, force }),
    output: destroyedProjectSchema,
    annotations: CHANGES,
    run: async (input, { caller, signal }) =>
      await projects.destroy(caller, input.git_url, input.force ?? false, signal),
  })

const listSandboxesTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_sandbox_list',
    title: 'List sandboxes',
    description:
      'The sandboxes of a project: branch, commits ahead and behind, uncommitted files, disk, and tasks in each.',
    input: z.strictObject({ git_url: gitUrl }),
    output: z.object({ sandboxes: z.array(sandboxEntrySchema) }),
    annotations: READS,
    run: async (input, { caller, signal }) => ({
      sandboxes: [...(await projects.sandboxes(caller, input.git_url, signal))],
    }),
  })

const deleteSandboxTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_sandbox_delete',
    title: 'Delete a sandbox',
    description:
      'Deletes a sandbox and its sessions. Refuses while tasks work in it or work would be lost, unless forced, by who made it, the project’s owner or an operator: that work is bundled first.',
    input: z.strictObject({ git_url: gitUrl, name: z.string(), force }),
    output: sandboxChangedSchema,
    annotations: CHANGES,
    run: async (input, { caller, signal }) =>
      await projects.changeSandbox(
        'delete',
        caller,
        input.git_url,
        { name: input.name, force: input.force ?? false },
        signal,
      ),
  })

const resetSandboxTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_sandbox_reset',
    title: 'Reset a sandbox',
    description:
      'Makes the files of a sandbox anew from the newest of its branch or base, and runs its start command again. Refuses as opencode_sandbox_delete does.',
    input: z.strictObject({ git_url: gitUrl, name: z.string(), force }),
    output: sandboxChangedSchema,
    annotations: CHANGES,
    run: async (input, { caller, signal }) =>
      await projects.changeSandbox(
        'reset',
        caller,
        input.git_url,
        { name: input.name, force: input.force ?? false },
        signal,
      ),
  })

const deployKeyTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_get_deploy_key',
    title: 'Read a deploy key',
    description:
      'The public key by which a project’s repository is reached, made where there is none, and the page to add it at. The private half never leaves the worker.',
    input: z.strictObject({
      git_url: gitUrl,
      rotate: z.boolean().optional().describe('Make a new key; the one before works until the new one was accepted'),
    }),
    output: deployKeySchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    run: async (input, { caller, signal }) =>
      await projects.deployKey(caller, input.git_url, input.rotate ?? false, signal),
  })

const duplicatesTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_detect_duplicates',
    title: 'Find repositories that are cloned twice',
    description:
      'Looks on the worker’s host, where projects are, for further clones of one repository. For operators. A sandbox does what a second clone would.',
    input: z.strictObject({}),
    output: duplicatesSchema,
    annotations: READS,
    run: async (_input, { caller, signal }) => await projects.duplicates(caller, signal),
  })

const publishSandboxTool = (publishing: Publishing): Tool =>
  defineTool({
    name: 'opencode_sandbox_publish',
    title: 'Publish a sandbox',
    description:
      'Commits what was not committed in a sandbox and pushes it to a branch of the repository. The sandbox stays as it is. Safe to repeat.',
    input: publishSchema.extend({ git_url: gitUrl, name: z.string() }).strict(),
    output: publishedSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    run: async ({ git_url: project, name: sandbox, ...input }, { caller, signal }) =>
      await publishing.publish(caller, { project, sandbox }, input, signal),
  })

type ProjectToolsDeps = { readonly projects: ProjectService; readonly publishing: Publishing }

export const projectTools = ({ projects, publishing }: ProjectToolsDeps): readonly Tool[] => [
  startTool(projects),
  listTool(projects),
  statusTool(projects),
  stopTool(projects),
  restartTool(projects),
  destroyTool(projects),
  createSandboxTool(projects),
  listSandboxesTool(projects),
  deleteSandboxTool(projects),
  resetSandboxTool(projects),
  deployKeyTool(projects),
  duplicatesTool(projects),
  publishSandboxTool(publishing),
]
