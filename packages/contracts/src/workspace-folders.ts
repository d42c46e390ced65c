/** Names under WORKSPACES_DIR that hold something else than the base directories of projects. */
export const WORKSPACE_FOLDERS: ReadonlySet<string> = new Set(['repos', 'tasks', 'sandboxes', 'docker', 'servers'])
