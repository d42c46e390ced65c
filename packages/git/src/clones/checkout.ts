/** A working directory that was created, and what its work is compared with. */
export type Checkout = { readonly directory: string; readonly branch: string; readonly baseCommit: string }

/** Asks for a working directory on a branch. */
export type CheckoutRequest = {
  readonly directory: string
  readonly branch: string
  /** Branch, tag or commit to start from; default: the remote's default branch. Ignored when `branch` exists. */
  readonly base?: string
  /**
   * Continue a branch that exists in the shared clone or on the remote and that no worktree uses; default false:
   * refuse an existing branch.
   */
  readonly reuse?: boolean
  readonly signal?: AbortSignal
}
