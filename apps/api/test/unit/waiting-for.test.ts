import type { Job } from '@nightshift/shared/job';
import type { LaneState } from '@nightshift/shared/lane';
import { expect, it } from 'vitest';
import { frame } from '../../src/event-stream.ts';
import { waitingFor } from '../../src/waiting-for.ts';

const NOW = 1_800_000_000_000;
const open: LaneState = {
  nowMs: NOW,
  coolingUntilMs: null,
  operatorPaused: false,
  paused: null,
  unreachable: null,
  lastRefusedAtMs: null,
};
const job: Job = {
  id: 'job_1',
  tenant: 'default',
  endpoint: '/v1/responses',
  model: 'gpt-x',
  laneId: 'lane_1',
  status: 'queued',
  priority: 'bulk',
  attempts: 0,
  maxAttempts: 8,
  delivery: 1,
  createdAtMs: NOW,
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
};
const paused = {
  reason: 'insufficient_quota',
  message: 'No quota left.',
  probeAtMs: NOW + 5000,
} as const;

it('names the first thing that holds a queued job up', () => {
  const reason = (more: Partial<Job>, lane: Partial<LaneState> = {}) =>
    waitingFor({ ...job, ...more }, { ...open, ...lane });
  expect(reason({})).toBeNull();
  expect(reason({ runAtMs: NOW, retryAtMs: NOW, waitReason: 'backoff' })).toBeNull();
  const everything = { paused, coolingUntilMs: NOW + 9000 };
  expect(reason({ runAtMs: NOW + 1500 }, everything)).toMatchObject({
    reason: 'run_at',
    until: NOW / 1000 + 2,
  });
  expect(
    reason({ retryAtMs: NOW + 1, waitReason: 'rate_limit', waitMessage: 'Slow down.' }, everything),
  ).toEqual({ reason: 'rate_limit', message: 'Slow down.', until: NOW / 1000 + 1 });
  expect(reason({ retryAtMs: NOW + 1 })).toMatchObject({ reason: 'backoff' });
  expect(reason({}, everything)).toEqual({
    reason: 'lane_paused',
    message: 'Lane lane_1 is paused: No quota left.',
    until: NOW / 1000 + 5,
  });
  expect(reason({}, { operatorPaused: true })).toMatchObject({
    reason: 'lane_paused',
    until: null,
  });
  expect(reason({}, { coolingUntilMs: NOW + 9000 })).toMatchObject({ reason: 'rate_limit' });
  for (const status of ['in_progress', 'completed', 'cancelled'] as const) {
    expect(reason({ status, runAtMs: NOW + 1500 }, everything)).toBeNull();
  }
});

it('names a full Redis where nothing else holds the job up', () => {
  const at = (fields: Partial<Job>, state: Partial<LaneState> = {}) =>
    waitingFor({ ...job, ...fields }, { ...open, ...state }, null, true)?.reason;
  expect(at({})).toBe('redis_full');
  expect(at({ runAtMs: NOW + 1500 })).toBe('run_at');
  expect(at({}, { operatorPaused: true })).toBe('lane_paused');
  expect(at({ status: 'completed' })).toBeUndefined();
  expect(waitingFor(job, open)).toBeNull();
});

it('an event of the stream survives line breaks of every kind', () => {
  const event = { seq: 3, type: 'job.completed', atMs: NOW, attempts: 1, detail: 'a "b"' };
  const settled: Job = {
    ...job,
    status: 'completed',
    response: { statusCode: 200, requestId: null, body: '{\r\n"a":\r1,\n"b":"\u2028"}' },
  };
  const text = frame(event, settled, null);
  expect(text).toMatch(/^id: 3\nevent: job\.completed\ndata: /);
  expect(text).toMatch(/[^\n]\n\n$/);
  const lines = text.trimEnd().split('\n').slice(2);
  expect(lines.every((line) => line.startsWith('data: '))).toBe(true);
  const data = JSON.parse(lines.map((line) => line.slice(6)).join('\n')) as {
    job: { response: { body: unknown } };
  };
  expect(data).toMatchObject({ detail: 'a "b"', sequence: 3 });
  expect(data.job.response.body).toEqual({ a: 1, b: '\u2028' });
});

it('says which limit holds a job up, and until when', () => {
  const dimension = { limit: 1, capacity: 1, level: 0 };
  const budget = {
    epoch: 'e',
    at: NOW,
    requests: { ...dimension, rate: 500 / 60_000, source: 'headers' },
    tokens: { ...dimension, rate: 30_000 / 60_000, source: 'headers' },
    next_at: { interactive: 0, bulk: NOW + 2500 },
  } as const;
  expect(waitingFor(job, open, budget)).toEqual({
    reason: 'rate_limit',
    message:
      'The limit for gpt-x is in use: 500 requests and 30000 tokens per minute by the provider.',
    until: NOW / 1000 + 3,
  });
  expect(waitingFor({ ...job, priority: 'interactive' }, open, budget)).toBeNull();
  // Nobody has asked for a call for a while: nothing waits for the limit.
  const calm = { ...budget, next_at: { interactive: 0, bulk: NOW - 10_000 } };
  expect(waitingFor(job, open, calm)).toBeNull();
});
