// The calls to workers for projects and sandboxes.

import { z } from 'zod'
import {
  createSandboxSchema,
  deployKeySchema,
  duplicatesSchema,
  sandboxEntrySchema,
  sandboxImportedSchema,
  sandboxSchema,
} from './projects.ts'
import { offeredKeySchema, sealedSecretSchema } from './sealed.ts'

const project = z.object({ project_id: z.string() })
const sandbox = project.extend({ name: z.string() })
const none = z.object({})

export const projectCalls = {
  /** Returns what a directory on the worker's host is. */
  'project.inspect': {
    args: z.object({ path: z.string() }),
    result: z.object({
      /** The path with symbolic links resolved. */
      place: z.string(),
      is_checkout: z.boolean(),
      /** The URL of its remote, without credentials. */
      origin: z.string().nullable(),
      /** The main checkout of a linked worktree; null when the directory is not one. */
      main: z.string().nullable(),
    }),
  },
  /** Brings a registered project to `ready` or `waiting_for_key`. The outcome is in its row. */
  'project.start': { args: project, result: none },
  /** Aborts the turns of its sessions and releases what its server keeps for it. */
  'project.stop': { args: project, result: none },
  /** Deletes everything that was created for the project, and its registration. */
  'project.destroy': {
    args: project.extend({ force: z.boolean() }),
    result: z.object({ bundles: z.array(z.string()) }),
  },
  'sandbox.create': {
    args: project.extend(createSandboxSchema.shape).extend({
      owner_key: z.string(),
      /** Where its start command runs: the id of the key's own OpenCode server; null: the project's. */
      server: z.string().nullable().default(null),
    }),
    result: z.object({ sandbox: sandboxSchema, created: z.boolean() }),
  },
  'sandbox.list': { args: project, result: z.object({ sandboxes: z.array(sandboxEntrySchema) }) },
  'sandbox.reset': {
    args: sandbox.extend({ force: z.boolean(), server: z.string().nullable().default(null) }),
    result: z.object({ sandbox: sandboxSchema, bundle: z.string().nullable() }),
  },
  'sandbox.delete': {
    args: sandbox.extend({ force: z.boolean(), as_imported: z.boolean().optional() }),
    result: z.object({ bundle: z.string().nullable() }),
  },
  /** Imports an uploaded bundle into a new sandbox, and deletes the upload. */
  'sandbox.import': { args: sandbox.extend({ upload_id: z.string() }), result: sandboxImportedSchema },
  'project.duplicates': { args: none, result: duplicatesSchema },
  /** Returns a public key that encrypts the password of a dedicated server, which then passes through the record. */
  'server.offer_key': { args: project, result: offeredKeySchema },
  'server.take_password': { args: project.extend(sealedSecretSchema.shape), result: none },
  /** Returns the deploy key, created if missing; a new one with `rotate`. */
  'key.read': { args: project.extend({ rotate: z.boolean() }), result: deployKeySchema },
  /** Returns a public key that encrypts an existing deploy key, which then passes through the record. */
  'key.offer_seal': { args: project, result: offeredKeySchema },
  'key.take': { args: project.extend(sealedSecretSchema.shape), result: deployKeySchema },
} as const
