export {
  createAttemptStore,
  MAX_RESCUES,
  type AttemptStore,
  type BeginResult,
  type Claim,
  type Release,
  type Settlement,
} from './attempt-store.ts';
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
} from './job-store.ts';
export { gatherMoves, type Values } from './gather-moves.ts';
export { createKeys, type Keys } from './keys.ts';
export { createLaneStore, type LaneCalls, type LaneStore } from './lane-store.ts';
export { loadScripts, type RunScript } from './scripts.ts';
export { createSubscriber, type Subscriber } from './subscriber.ts';
