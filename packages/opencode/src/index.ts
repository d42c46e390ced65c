// OpenCode servers: launched or found, supervised, one event stream each, and the calls we make to them.

export type { BusySession } from './activity.ts'
export type { OpenCodeCallOptions } from './call.ts'
export type { Catalog } from './catalog.ts'
export { type ChildServerOptions, childServer } from './child-server.ts'
export type {
  NewSession,
  OpenCodeClient,
  PermissionReply,
  Prompt,
  SessionMessage,
  SessionRef,
} from './client.ts'
export type { OpenCodeEvent } from './event-stream.ts'
export { freePort } from './free-port.ts'
export { newMessageId, type OpenCodeMessageId, partId } from './ids.ts'
export type { Endpoint, RunningServer, ServerLauncher } from './launcher.ts'
export * from './narration.ts'
export { probe } from './probe.ts'
export { type RemoteServerOptions, remoteServer } from './remote-server.ts'
export type { ResyncReason, SessionSubscription, SubscriptionListener, SubscriptionMessage } from './router.ts'
export { permissionRules, type StandingReply, standingReply } from './rules.ts'
export { type CommandOutcome, runCommand } from './run-command.ts'
export { RunTranscript } from './run-transcript.ts'
export { OpenCodeServer, type OpenCodeServerOptions, type SubscribeOptions } from './server.ts'
export { cursorBefore } from './session-types.ts'
export { SubagentTranscript } from './subagent-transcript.ts'
export type { ServerState, ServerStatus } from './supervisor.ts'
