export type { PreparedSandbox, SandboxOptions, ServerSandbox } from './prepare-sandbox.ts'
export { prepareSandbox, withVariables } from './prepare-sandbox.ts'
