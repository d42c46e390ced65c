// Errors of repositories: access, branches, publishing, bundles.

import type { ErrorKind } from './kind.ts'

export const repositoryErrors = {
  invalid_project: {
    status: 400,
    retryable: false,
    hint: 'Give an https, ssh or file URL, or an absolute local path, of a git repository.',
  },
  repository_unavailable: {
    status: 422,
    retryable: true,
    hint: 'Check the URL, that the host is up, and that the worker may read the repository.',
  },
  repository_not_found: {
    status: 422,
    retryable: false,
    hint: 'Check the URL or path: the worker finds no git repository there that it may read.',
  },
  repository_access_denied: {
    status: 422,
    retryable: false,
    hint: 'Give the worker access to the repository (a deploy key or a token), then start the task again.',
  },
  host_key_unknown: {
    status: 422,
    retryable: false,
    hint: "Compare the host's key with the one its operator publishes and add it to known_hosts in SWITCHYARD_HOME (ssh-keyscan prints it), or set GIT_SSH_TRUST_NEW_HOSTS=true.",
  },
  host_key_changed: {
    status: 422,
    retryable: false,
    hint: "Someone may be intercepting the connection; nothing was sent. Ask the host's operator, and remove the old key from known_hosts in SWITCHYARD_HOME only if it was really replaced.",
  },
  deploy_key_invalid: {
    status: 400,
    retryable: false,
    hint: 'Name a private ssh key by its absolute path, without a passphrase, that the worker can read and nobody else can (chmod 600).',
  },
  branch_diverged: {
    status: 409,
    retryable: false,
    hint: 'The remote branch has commits that this work lacks: publish to another branch, merge them first, or replace them with force.',
  },
  push_rejected: {
    status: 422,
    retryable: false,
    hint: 'The remote refused the branch; the message quotes its reason. Choose a branch that is not protected, or change the rule there.',
  },
  work_would_be_lost: {
    status: 409,
    retryable: false,
    hint: 'Publish or discard the work that the message names, or set force: the work is then bundled before it is removed.',
  },
  repository_empty: { status: 422, retryable: false, hint: 'The repository has no commit yet; push a first commit.' },
  branch_not_found: {
    status: 422,
    retryable: false,
    hint: 'Name a branch, tag or commit that exists in the repository as base_branch.',
  },
  branch_in_use: {
    status: 409,
    retryable: false,
    hint: 'Another task works on that branch; choose another `branch` or leave it out.',
  },
  invalid_bundle: {
    status: 422,
    retryable: false,
    hint: 'Send a git bundle that contains refs/switchyard/head, as `switchyard migrate` creates it.',
  },
  bundle_incomplete: {
    status: 422,
    retryable: false,
    hint: 'Send a bundle with the whole history: git bundle create <file> <ref>, without ^commits.',
  },
  worktree_has_work: { status: 409, retryable: false, hint: 'Create a new sandbox and import into that one.' },
  invalid_branch: {
    status: 400,
    retryable: false,
    hint: 'Use a name that git accepts for a branch (git check-ref-format).',
  },
} as const satisfies Record<string, ErrorKind>
