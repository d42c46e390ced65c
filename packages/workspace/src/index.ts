// Working directories: where they lie, how a task's directory is created, and how files and diffs in it are read.

export { taskCallHandlers } from './call-handlers.ts'
export { createWorkspace, type Workspace, type WorkspaceDeps } from './create-workspace.ts'
export { type ContainerDirectories, Layout, promptFile } from './layout.ts'
export { listFiles } from './list-files.ts'
export { objectDirectories, projectIdentity } from './object-directories.ts'
export { readDiff } from './read-diff.ts'
export { readFile } from './read-file.ts'
export { taskDirectory } from './task-directory.ts'
