// Postgres: the truth of Switchyard. Every query of ours is in this package, one module a table.

export { type Admission, admitTask, countQueued, type Hosts, type RunLimits } from './admission.ts'
export { type Advanced, advance, type Change, type Patch } from './advance.ts'
export { findDiff, type KeptDiff, keepDiff } from './diffs.ts'
export { readEvents, readLastEvents } from './events.ts'
export {
  choosePromptId,
  countDelivered,
  findMessage,
  type MessageRow,
  markDelivered,
  sendMessage,
  undeliveredMessages,
} from './messages.ts'
export { type Progress, readProgress } from './progress.ts'
export { findProject, type ProjectRow } from './projects.ts'
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
export { type RequestRow, type TaskRow, toTask } from './rows.ts'
export type { Db, ServerCatalog } from './schema.ts'
export { listServers, reportServer, type ServerRow } from './servers.ts'
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
export { countLiveWorkers, forgetSilentWorkers, removeWorker, reportWorker } from './workers.ts'
