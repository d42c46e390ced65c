// Test doubles and fixtures for tests, the demo and benchmarks.

export { createDatabase, type TestDatabase } from './database.ts'
export { type GitDaemon, startGitDaemon } from './git-daemon.ts'
export { type GitHttps, type GitHttpsOptions, startGitHttps } from './git-https.ts'
export { type GitSsh, startGitSsh } from './git-ssh.ts'
export { type LettaServer, startLettaServer } from './letta-server.ts'
export { type MatrixFixture, type RoomEvent, startMatrixFixture } from './matrix-fixture.ts'
export { opencodeConfig, SCRIPTED_PRICES } from './opencode-config.ts'
export { createConfigDirectory } from './opencode-config-directory.ts'
export { type OpenCodeProcess, startOpenCode } from './opencode-process.ts'
export { ordinaryTask } from './ordinary-task.ts'
export { OWN_MODELS_ONLY } from './own-models-only.ts'
export { startRedis, type TestRedis, whyNoRedis } from './redis.ts'
export { DEFAULT_USAGE } from './reply.ts'
export { FAILING_REPOSITORY, fixFailingTestScript, fixFailingTestSteps } from './scenarios.ts'
export { type ScriptedFailure, type ScriptedToolCall, type ScriptedUsage, type ScriptStep, script } from './script.ts'
export { type ModelRequest, type ScriptedModel, startScriptedModel } from './scripted-model.ts'
export { openSessionDatabase, type SessionDatabase } from './session-database.ts'
export { type ShareService, startShareService } from './share-service.ts'
export { whyNoSynapse } from './synapse.ts'
export {
  startWebhookReceiver,
  verifyWebhook,
  type WebhookAnswer,
  type WebhookCall,
  type WebhookReceiver,
} from './webhook-receiver.ts'
