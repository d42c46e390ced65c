// Postgres, the truth of Switchyard. Every query is in this package, one module per table.

export { type Admission, admitTask, countQueued, type Hosts, type RunLimits } from './admission.ts'
export { type Advanced, advance, type Change, type Patch } from './advance.ts'
export { type AgentView, beginAgentCall, endAgentCall, noteSeen, readAgentViews } from './agent-calls.ts'
export { type AvailableModelsRow, readAvailableModels, saveAvailableModels } from './available-models.ts'
export {
  type Answer,
  addCall,
  answerCall,
  type CallRow,
  deleteCall,
  deleteOldCalls,
  readCall,
  takeCalls,
} from './calls.ts'
export { switchChannel } from './channels.ts'
export { type Comparison, compareSides } from './comparison.ts'
export {
  type DeliveryRow,
  deferFollowers,
  deleteOldDeliveries,
  findDueDestinations,
  findTaskRows,
  giveUpOld,
  markArrived,
  markFailed,
  markSkipped,
  markWaiting,
  readDeliveredEvents,
  takeDeliveries,
} from './deliveries.ts'
export {
  countUndelivered,
  type DeliveryFilter,
  findDelivery,
  listDeliveries,
  retryDelivery,
  toDelivery,
} from './delivery-list.ts'
export {
  type BreakerRule,
  type BreakerState,
  closeBreaker,
  countDestinationFailure,
  holdDestination,
  readBreaker,
} from './destination-breakers.ts'
export {
  addTestDelivery,
  type ChannelRules,
  createDestination,
  type DestinationRow,
  deleteDestination,
  findDestinations,
  listDestinations,
  rotateSecret,
  setDisabled,
  signingSecrets,
  switchChannelOff,
  switchChannelOn,
  toWebhook,
} from './destinations.ts'
export { readStoredDiff, type StoredDiff, storeDiff } from './diffs.ts'
export { escalateRequest, findUnanswered } from './escalations.ts'
export { findToldType, readEvents, readLastEvents } from './events.ts'
export {
  type FeedFilter,
  type FeedPage,
  type PlacedEvent,
  readFeed,
  readLastPosition,
  readOldestRunning,
  takeTransactionId,
} from './feed.ts'
export { type FoundDirectory, listFound, replaceFound } from './found-directories.ts'
export {
  addMissingBlocks,
  forgetBlock,
  type LettaBlockRow,
  markBlockFailed,
  markBlockWritten,
  readBlockProblem,
  takeDueBlocks,
  takeExpiredBlocks,
} from './letta-blocks.ts'
export { keepMatrixSync, leaseMatrixSync, type MatrixSync, releaseMatrixSync } from './matrix-syncs.ts'
export {
  findMatrixTarget,
  findMatrixThread,
  findOutlivedRooms,
  keepMatrixMessage,
  keepMatrixThread,
  type MatrixMessage,
  type MatrixTarget,
  type MatrixThreadRow,
  markRoomLeft,
} from './matrix-threads.ts'
export {
  choosePromptId,
  countDelivered,
  findMessage,
  lastDeliveredPrompt,
  type MessageRow,
  markDelivered,
  markPromptDelivered,
  movePrompt,
  sendMessage,
  undeliveredMessages,
} from './messages.ts'
export { deleteOldUsage, type ModelUsage, recordModelUsage, type TaskModelUsage, usageOfTask } from './model-usage.ts'
export {
  listLiveNotifiers,
  type NotifierState,
  releaseFromSilentNotifiers,
  removeNotifier,
  reportNotifier,
} from './notifiers.ts'
export { CALLBACK, LETTA } from './outbox.ts'
export { type Progress, readProgress } from './progress.ts'
export {
  beginStop,
  claimProjectServer,
  clearRequest,
  configureServer,
  dedicatedServerId,
  dedicatedServerKey,
  findLeftServers,
  findProjectServer,
  forgetProjectServer,
  type ListedServer,
  listProjectServers,
  ownerOfServer,
  ownerServerId,
  type ProjectServerRow,
  type ProjectServerSettings,
  portsOfOthers,
  releaseProjectServer,
  reportProjectServer,
  requestOfServer,
  settleAbortsOfStopped,
  takeBackStop,
  touchProjectServer,
  useProjectServers,
} from './project-servers.ts'
export {
  claimBaseDirectory,
  countOpenTasks,
  countTasksOfOthers,
  findProject,
  findProjectIn,
  forgetProject,
  listOwnedDirectories,
  listProjects,
  type NewProject,
  noteProject,
  openTaskDirectories,
  type ProjectPatch,
  type ProjectRow,
  registerProject,
  updateProject,
} from './projects.ts'
export { type Moved, moveTasks, type QueueLoad, readQueueLoads } from './queues.ts'
export { Records, type RecordsOptions } from './records.ts'
export {
  alwaysAllowed,
  findRequest,
  type NewRequest,
  openRequest,
  replyToRequest,
  settleRequest,
  unsettledRequests,
} from './requests.ts'
export {
  deleteOldTasks,
  findExpiredWorkspaces,
  findPendingAborts,
  markAborted,
  markWorkspaceRemoved,
  pruneEvents,
} from './retention.ts'
export {
  type BreakerMove,
  type BreakerRow,
  changeRollout,
  claimProbe,
  type Evidence,
  evaluateBreaker,
  initRollout,
  listRolloutChanges,
  type RolloutChange,
  type RolloutNow,
  type RolloutRow,
  readRollout,
} from './rollout.ts'
export { type RequestRow, type TaskRow, toTask } from './rows.ts'
export {
  claimSandbox,
  deleteSandboxRow,
  findSandbox,
  listSandboxes,
  markSandboxReady,
  markSandboxUnready,
  type SandboxRow,
  toSandbox,
} from './sandboxes.ts'
export type { Db, ServerCatalog } from './schema.ts'
export { beginAlone, clearSuspicion, settleOwnServer, taskOfServer, taskServerId } from './server-deaths.ts'
export { countRunningByServer, lastLive, listServers, reportServer, type ServerRow } from './servers.ts'
export { listSessionTasks, type SessionTask } from './session-tasks.ts'
export type { ProbeOutcome, SideOutcome } from './side-outcomes.ts'
export { recordedDirectory } from './task-directory.ts'
export {
  type Accepted,
  type AcceptInput,
  acceptTask,
  countByStatus,
  findByIdempotencyKey,
  findOpen,
  findOverdue,
  findOwned,
  findTask,
  findTaskRow,
  findUnowned,
  type ListCursor,
  type ListPage,
  listTasks,
  releaseTask,
  type TaskFilter,
  takeTask,
  toRecords,
  WORKER_SILENCE_MS,
} from './tasks.ts'
export { addUploadPart, deleteOldUploads, deleteUpload, readUploadPart } from './uploads.ts'
export {
  allStartServers,
  countLiveWorkers,
  forgetSilentWorkers,
  liveWorkers,
  removeWorker,
  reportWorker,
} from './workers.ts'
