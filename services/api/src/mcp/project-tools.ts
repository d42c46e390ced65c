// Tools that register, read, stop and delete projects, and manage their sandboxes and deploy keys.

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

const gitUrl = z.string().min(1).max(2_000).describe("The repository's URL or path, or its project_id")

const startTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_project_start',
    title: 'Start a project',
    description:
      'Registers a repository, clones it and returns the project. Use it before you create sandboxes or sessions; execute_task works without it. If status is waiting_for_key, add public_key as next_step says and call again. Safe to repeat: each repository is one project, whatever form its URL has.',
    input: startProjectSchema.strict(),
    output: startedProjectSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    run: async (input, { caller, signal }) => await projects.start(caller, input, signal),
  })

const listTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_project_list',
    title: 'List projects',
    description:
      'Returns the projects that you may use, newest first, with their sandboxes. Use it to find a project_id. Operators also get candidates: repositories on disk that are not projects yet.',
    input: z.strictObject({}),
    output: z.object({
      projects: z.array(projectInfoSchema),
      candidates: z
        .array(candidateSchema)
        .describe(
          'repositories on disk that are not projects yet, for operators only; register one with opencode_project_start',
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
    description:
      'Returns the status of a project: its directory, sandboxes with their git state, sessions and running tasks. Use it to follow a clone until status is ready. The git state is missing if no worker responds in time.',
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
      'Aborts the sessions of a project, releases its server resources and returns the project. Use it when you do not need the project for a while. Files, sandboxes and sessions stay; opencode_project_start starts it again. If the project is shared with you, no task of another key may be open.',
    input: z.strictObject({ git_url: gitUrl }),
    output: projectInfoSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    run: async (input, { caller, signal }) => await projects.stop(caller, input.git_url, signal),
  })

const createSandboxTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_sandbox_create',
    title: 'Create a sandbox',
    description:
      'Creates a sandbox, a separate working directory on a branch of a project, and returns it. Use it for work that spans several tasks or sessions, instead of a second clone. Safe to repeat with the same name and branch.',
    input: createSandboxSchema.extend({ git_url: gitUrl }).strict(),
    output: sandboxSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    run: async ({ git_url, ...input }, { caller, signal }) =>
      await projects.createSandbox(caller, git_url, input, signal),
  })

const force = z
  .boolean()
  .optional()
  .describe('Cancel its tasks and save unpushed work in a bundle, instead of failing. Default false')

const DESTRUCTIVE: ToolAnnotations = {
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
      'Stops a project, starts it again and returns it. Use it to fetch its remote or when its server does not respond. Its files do not change. Fails when opencode_project_stop would fail.',
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
      'Deletes a project with its clone, sandboxes and sessions, and returns what was saved. Use it when you no longer need the project here; the remote repository is not affected. Fails if it has open tasks or work would be lost. force cancels the tasks and saves that work in bundles first.',
    input: z.strictObject({ git_url: gitUrl, force }),
    output: destroyedProjectSchema,
    annotations: DESTRUCTIVE,
    run: async (input, { caller, signal }) =>
      await projects.destroy(caller, input.git_url, input.force ?? false, signal),
  })

const listSandboxesTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_sandbox_list',
    title: 'List sandboxes',
    description:
      'Returns the sandboxes of a project with branch, commits ahead and behind, uncommitted files, disk usage and tasks. Use it before you publish, reset or delete one.',
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
      'Deletes a sandbox and its sessions, and returns what was saved. Use it when its work is published or no longer needed. Fails if it has open tasks or work would be lost. force saves that work in a bundle first; it requires the creator of the sandbox, the project owner or an operator.',
    input: z.strictObject({ git_url: gitUrl, name: z.string(), force }),
    output: sandboxChangedSchema,
    annotations: DESTRUCTIVE,
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
      'Resets the files of a sandbox to the latest commit of its branch or base, runs its start command again and returns what was saved. Use it to start over. Fails when opencode_sandbox_delete would fail; force works the same way.',
    input: z.strictObject({ git_url: gitUrl, name: z.string(), force }),
    output: sandboxChangedSchema,
    annotations: DESTRUCTIVE,
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
    title: 'Get a deploy key',
    description:
      'Returns the public deploy key of a project and where to add it; creates the key on the first call. Use it when the repository host denies access. The private key never leaves the worker.',
    input: z.strictObject({
      git_url: gitUrl,
      rotate: z
        .boolean()
        .optional()
        .describe('Create a new key. The previous one works until the repository host accepts the new one'),
    }),
    output: deployKeySchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    run: async (input, { caller, signal }) =>
      await projects.deployKey(caller, input.git_url, input.rotate ?? false, signal),
  })

const duplicatesTool = (projects: ProjectService): Tool =>
  defineTool({
    name: 'opencode_detect_duplicates',
    title: 'Find duplicate clones',
    description:
      "Returns the repositories that are cloned more than once on the worker's host, with advice. Use it to replace extra clones by sandboxes. Requires an operator key.",
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
      'Commits the uncommitted changes of a sandbox, pushes its work to a branch and returns the branch and commit. Use it when you have reviewed the work. The files in the sandbox do not change. Safe to repeat.',
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
