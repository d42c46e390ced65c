/** Prefix of the refs that we create for commits without a name of their own, such as a stash. */
export const SWITCHYARD_REFS = 'refs/switchyard'

/** In a bundle: the commit that was checked out. */
export const HEAD_REF = `${SWITCHYARD_REFS}/head`

/** In a bundle: one commit with the uncommitted changes, whose parent is HEAD_REF. */
export const WORKTREE_REF = `${SWITCHYARD_REFS}/worktree`

/** In a bundle of a removed task: the tip of its branch, when another branch was checked out and does not reach it. */
export const LEFT_BRANCH_REF = `${SWITCHYARD_REFS}/left-branch`
