export { batchWait, linesWait, type LaneWaits } from './batch-wait.ts';
export { noSlotWait, noWorkerWait } from './fleet-wait.ts';
export { jobWait, redisFullWait, type JobFacts } from './job-wait.ts';
export { laneWait, limitWait, type LaneWords } from './lane-wait.ts';
export { causeOf, storageMessage } from './storage-wait.ts';
export { type Wait } from './words.ts';
