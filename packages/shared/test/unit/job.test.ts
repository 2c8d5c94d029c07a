import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bundleId,
  bundleSize,
  deliveryId,
  isSettled,
  jobIdPattern,
  jobStatuses,
  newJobId,
  parseDeliveryId,
} from '../../src/job/index.ts';
import { parseEvents, parseJob, jobFields } from '../../src/redis/job-record.ts';

describe('ids', () => {
  test('job ids have the shape of their pattern, differ, and rise with time', () => {
    const ids = Array.from({ length: 1000 }, newJobId);
    expect(ids.every((id) => jobIdPattern.test(id))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
  });

  test('a delivery id says its job and its number again', () => {
    const jobId = fc.oneof(
      fc.constant(null).map(() => newJobId()),
      fc.string({ minLength: 1, unit: 'binary' }),
    );
    fc.assert(
      fc.property(jobId, fc.integer({ min: 1, max: 1_000_000 }), (id, delivery) => {
        expect(parseDeliveryId(deliveryId(id, delivery))).toEqual({ jobId: id, delivery });
      }),
    );
  });

  test.each(['', '.', '.1', 'job', 'job.', 'job.0', 'job.01', 'job.-1', 'job.1e3', 'job.1.5x'])(
    'not a delivery id: %j',
    (id) => {
      expect(() => parseDeliveryId(id)).toThrow('must be JOB_ID.NUMBER');
    },
  );

  test('a bundle is named by its first delivery, and says how many it holds', () => {
    expect(bundleId(['job_1.1'])).toBe('job_1.1');
    expect(bundleId(['job_1.1', 'job_2.1', 'job_7.3'])).toBe('job_1.1+2');
    for (const size of [1, 2, 16]) {
      const ids = Array.from({ length: size }, (_, at) => deliveryId(newJobId(), at + 1));
      expect(bundleSize(bundleId(ids))).toBe(size);
    }
  });

  test('four statuses are settled', () => {
    expect(jobStatuses.filter(isSettled)).toEqual(['completed', 'failed', 'cancelled', 'expired']);
  });
});

describe('stored records', () => {
  test('no id, no job', () => {
    expect(parseJob(jobFields.map(() => null))).toBeNull();
  });

  test('empty fields are null, not 0 and not an empty string', () => {
    const values = jobFields.map((name) =>
      name === 'id' ? 'job_1' : name === 'created_at' ? '5' : '',
    );
    expect(parseJob(values)).toMatchObject({
      createdAtMs: 5,
      startedAtMs: null,
      settledAtMs: null,
      waitReason: null,
      response: null,
      error: null,
      usage: null,
      costUsd: null,
      metadata: {},
      retryOf: null,
    });
  });

  test('the event log, one line each, a detail with bars included', () => {
    expect(parseEvents(null)).toEqual([]);
    expect(parseEvents('1|job.queued|1000|0|\n2|job.in_progress|2000|1|a|b')).toEqual([
      { seq: 1, type: 'job.queued', atMs: 1000, attempts: 0, detail: '' },
      { seq: 2, type: 'job.in_progress', atMs: 2000, attempts: 1, detail: 'a|b' },
    ]);
  });
});
