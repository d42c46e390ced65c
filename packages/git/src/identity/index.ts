// What is known of a repository, a project or a branch from its name alone: pure functions, for services without git.

export { type AddKeyPage, addKeyPage } from './add-key-page.ts'
export { isValidBase, isValidBranch } from './branch.ts'
export { parseRepositoryUrl, projectName, type RepositoryIdentity, type RepositoryKind } from './identity.ts'
export { projectIdOf } from './project-id.ts'
