// Everything that crosses a boundary of Switchyard, as zod schemas and the types made from them.

export * from './deliveries.ts'
export * from './errors.ts'
export * from './events.ts'
export * from './health.ts'
export * from './ids.ts'
export * from './lifecycle.ts'
export * from './rollout.ts'
export * from './secrets.ts'
export * from './steering.ts'
export * from './task.ts'
export * from './webhooks.ts'
export * from './workspace.ts'
