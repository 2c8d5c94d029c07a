import { noStanding, type Job } from '@nightshift/shared/job';
import { expect, it } from 'vitest';
import { frame } from '../../src/event-stream.ts';

const NOW = 1_800_000_000_000;
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
  standing: noStanding,
};
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
