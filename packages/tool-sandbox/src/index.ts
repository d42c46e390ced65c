export type { PreparedSandbox, SandboxOptions, ServerSandbox } from './prepare-sandbox.ts'
export { prepareSandbox } from './prepare-sandbox.ts'
