// What workers do for projects and sandboxes.

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
  /** What a directory on the worker's host is. */
  'project.inspect': {
    args: z.object({ path: z.string() }),
    result: z.object({
      /** Its real path. */
      place: z.string(),
      is_checkout: z.boolean(),
      /** The URL of its remote, without credentials. */
      origin: z.string().nullable(),
      /** The checkout that it is a linked worktree of; null when it is not one. */
      main: z.string().nullable(),
    }),
  },
  /** Brings a registered project to `ready` or `waiting_for_key`; its row has what came of it. */
  'project.start': { args: project, result: none },
  /** Ends its sessions’ turns and frees what its server holds for it. */
  'project.stop': { args: project, result: none },
  /** Deletes what we made for it; its registration is taken back. */
  'project.destroy': {
    args: project.extend({ force: z.boolean() }),
    result: z.object({ bundles: z.array(z.string()) }),
  },
  'sandbox.create': {
    args: project.extend(createSandboxSchema.shape).extend({ owner_key: z.string() }),
    result: z.object({ sandbox: sandboxSchema, created: z.boolean() }),
  },
  'sandbox.list': { args: project, result: z.object({ sandboxes: z.array(sandboxEntrySchema) }) },
  'sandbox.reset': {
    args: sandbox.extend({ force: z.boolean() }),
    result: z.object({ sandbox: sandboxSchema, bundle: z.string().nullable() }),
  },
  'sandbox.delete': {
    args: sandbox.extend({ force: z.boolean(), as_imported: z.boolean().optional() }),
    result: z.object({ bundle: z.string().nullable() }),
  },
  /** Gives a new sandbox what an uploaded bundle holds; the upload is deleted. */
  'sandbox.import': { args: sandbox.extend({ upload_id: z.string() }), result: sandboxImportedSchema },
  'project.duplicates': { args: none, result: duplicatesSchema },
  /** A public key to seal a password for its own server with, and that password: it goes through the record. */
  'server.offer_key': { args: project, result: offeredKeySchema },
  'server.take_password': { args: project.extend(sealedSecretSchema.shape), result: none },
  /** The deploy key, created if missing; a new one with `rotate`. */
  'key.read': { args: project.extend({ rotate: z.boolean() }), result: deployKeySchema },
  /** A public key to seal a deploy key with that somebody has, and that deploy key. */
  'key.offer_seal': { args: project, result: offeredKeySchema },
  'key.take': { args: project.extend(sealedSecretSchema.shape), result: deployKeySchema },
} as const
