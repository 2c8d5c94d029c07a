export {
  createAttemptStore,
  MAX_RESCUES,
  type AttemptStore,
  type BeginResult,
  type Claim,
  type DueDelivery,
  type Release,
  type Settlement,
} from './attempt-store.ts';
export {
  createBatchStore,
  type BatchPage,
  type BatchStore,
  type CancelBatchResult,
  type CreateBatchResult,
  type RecalledBatch,
} from './batch-store.ts';
export {
  CONDUCTOR_HOLD_MS,
  createConductorStore,
  firstDelivery,
  lineId,
  type ConductedBatch,
  type Conducting,
  type ConductorStore,
  type FedLine,
  type InputPlace,
  type LineResult,
  type OutputFile,
} from './conductor-store.ts';
export {
  createBudgetStore,
  type BudgetStore,
  type CallStamp,
  type LimitNews,
  type PaceReply,
  type PaceTurn,
} from './budget-store.ts';
export {
  connectRedis,
  isRedisAway,
  isRedisFull,
  whenReady,
  type RedisConnection,
} from './connect.ts';
export { checkDurability } from './durability.ts';
export {
  createJobStore,
  type AcceptResult,
  type Idempotency,
  type JobFilter,
  type JobPage,
  type JobStore,
  type RemoveJobResult,
} from './job-store.ts';
export {
  blobsOf,
  createFileStore,
  type CreateFileResult,
  type FilePage,
  type FileQuery,
  type FileStore,
  type LooseBlob,
  type RemoveFileResult,
} from './file-store.ts';
export { createRetentionStore, type RetentionStore } from './retention-store.ts';
export {
  createUploadStore,
  type AddPartResult,
  type CompleteUploadResult,
  type UploadStore,
} from './upload-store.ts';
export { createWorkerStore, type WorkerStore } from './worker-store.ts';
export { createFairShare, type FairShare } from './fair-share.ts';
export { gatherMoves, type Values } from './gather-moves.ts';
export { inspectRedis, type RedisReport } from './inspect.ts';
export { createKeys, type Keys } from './keys.ts';
export {
  createLaneStore,
  type CallTimes,
  type LaneCalls,
  type LaneNote,
  type LaneStore,
} from './lane-store.ts';
export {
  fullest,
  isReserveTouched,
  watchMemory,
  type MemoryWatch,
  type RedisMemory,
} from './memory-watch.ts';
export { defineScript } from './script.ts';
export { loadScripts, type RunScript } from './scripts.ts';
export { createSubscriber, type Subscriber } from './subscriber.ts';
