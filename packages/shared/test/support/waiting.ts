import type { Batch } from '../../src/batch/index.ts';
import type { Fleet, FleetWorker } from '../../src/fleet/index.ts';
import { noStanding, type Job } from '../../src/job/index.ts';
import type { Lane, LaneState } from '../../src/lane/index.ts';

/** `03:14:05 UTC` of a day. */
export const NOW = Date.UTC(2027, 0, 15, 3, 14, 5);

export const lane: Lane = {
  id: 'lane_0123456789abcdef',
  provider: 'openai',
  model: 'gpt-4o-mini',
  credential: 'OPENAI_API_KEY',
};

export const open: LaneState = {
  nowMs: NOW,
  coolingUntilMs: null,
  operatorPaused: false,
  paused: null,
  unreachable: null,
  lastRefusedAtMs: null,
};

const worker: FleetWorker = {
  id: 'worker_1',
  host: 'host-a',
  pid: 4711,
  version: '0.1.0',
  state: 'alive',
  startedAtMs: NOW - 60_000,
  lastSeenAtMs: NOW - 1000,
  slots: 64,
  slotsUsed: 0,
  lanes: 1,
};

export const fleetOf = (...workers: Partial<FleetWorker>[]): Fleet => ({
  nowMs: NOW,
  workers: workers.map((more) => ({ ...worker, ...more })),
});

export const job: Job = {
  id: 'job_1',
  tenant: 'default',
  endpoint: '/v1/responses',
  model: lane.model,
  laneId: lane.id,
  status: 'queued',
  priority: 'bulk',
  attempts: 0,
  maxAttempts: 8,
  delivery: 1,
  createdAtMs: NOW - 60_000,
  startedAtMs: null,
  settledAtMs: null,
  expiresAtMs: null,
  runAtMs: null,
  retryAtMs: null,
  waitReason: null,
  waitMessage: null,
  response: null,
  error: null,
  usage: null,
  costUsd: null,
  metadata: {},
  retryOf: null,
  standing: noStanding,
};

export const batch: Batch = {
  id: 'batch_1',
  tenant: 'default',
  endpoint: '/v1/responses',
  model: lane.model,
  status: 'in_progress',
  inputFileId: 'file-1',
  completionWindow: '24h',
  outputFileId: null,
  errorFileId: null,
  outputExpiresAfterMs: null,
  errors: null,
  errorCount: 0,
  createdAtMs: NOW - 60_000,
  inProgressAtMs: NOW - 50_000,
  expiresAtMs: NOW + 86_400_000,
  finalizingAtMs: null,
  completedAtMs: null,
  failedAtMs: null,
  expiredAtMs: null,
  cancellingAtMs: null,
  cancelledAtMs: null,
  counts: { total: 1000, completed: 10, failed: 0 },
  usage: {
    inputTokens: 0,
    cachedInputTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    totalTokens: 0,
  },
  costUsd: 0,
  metadata: null,
  paused: false,
  runAtMs: null,
  quietHours: null,
  retryOf: null,
  heldUp: null,
  output: [],
  failures: [],
};
