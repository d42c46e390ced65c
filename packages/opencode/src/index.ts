// OpenCode servers: launched or found, supervised, one event stream each, and the calls we make to them.

export type { OpenCodeCallOptions } from './client/call.ts'
export type { Catalog } from './client/catalog.ts'
export type {
  NewSession,
  OpenCodeClient,
  PermissionReply,
  Prompt,
  SessionMessage,
  SessionRef,
} from './client/client.ts'
export { newMessageId, type OpenCodeMessageId, partId } from './client/message-ids.ts'
export { type AutomaticReply, automaticReply, permissionRules } from './client/permission-rules.ts'
export { type CommandOutcome, runCommand } from './client/run-command.ts'
export { cursorBefore } from './client/session-types.ts'
export type { Endpoint } from './connection/endpoint.ts'
export { checkHealth } from './connection/health-check.ts'
export type { BusySession } from './events/activity.ts'
export type {
  ResyncReason,
  SessionSubscription,
  SubscriptionListener,
  SubscriptionMessage,
} from './events/event-router.ts'
export type { OpenCodeEvent } from './events/event-stream.ts'
export * from './narration/index.ts'
export { OpenCodeServer, type OpenCodeServerOptions, type SubscribeOptions } from './opencode-server.ts'
export { type ChildServerOptions, childServer } from './server/child-server.ts'
export { freePort } from './server/free-port.ts'
export type { RunningServer, ServerLauncher } from './server/launcher.ts'
export { type RemoteServerOptions, remoteServer } from './server/remote-server.ts'
export type { ServerState, ServerStatus } from './server/supervisor.ts'
export { RunTranscript } from './transcripts/run-transcript.ts'
export { SubagentTranscript } from './transcripts/subagent-transcript.ts'
