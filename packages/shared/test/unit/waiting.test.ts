import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch, LineGroup } from '../../src/batch/index.ts';
import { waitReasons, type Job } from '../../src/job/index.ts';
import type { Lane, LaneState } from '../../src/lane/index.ts';
import {
  batchWait,
  causeOf,
  jobWait,
  laneWait,
  linesWait,
  noSlotWait,
  noWorkerWait,
  storageMessage,
  type JobFacts,
  type Wait,
} from '../../src/waiting/index.ts';
import { batch, fleetOf, job, lane, NOW, open } from '../support/waiting.ts';

const all = { quotes: true };
const seconds = (text: string): number => Date.parse(`2027-01-15T${text}Z`);
const refused = (reason: NonNullable<LaneState['paused']>['reason'], message: string) => ({
  ...open,
  paused: { reason, message, probeAtMs: seconds('03:14:20') },
});
const unreachable = (message: string, failures = 12): LaneState => ({
  ...open,
  unreachable: {
    sinceMs: seconds('03:10:02'),
    failures,
    message,
    trialAtMs: seconds('03:14:20'),
  },
});

describe('a lane', () => {
  it('has no reason while it may be called', () => {
    expect(laneWait(lane, open, all)).toBeNull();
  });

  it('repeats the provider’s message about a key, masks the key, and names the variable to set', () => {
    const said = 'The provider answered 401: Incorrect API key provided (sk-proj-abcdefghuvwxyz).';
    expect(laneWait(lane, refused('unauthorized', said), all)).toEqual({
      reason: 'lane_paused',
      message:
        'gpt-4o-mini at openai: 401 Incorrect API key provided (sk-…xyz). Set OPENAI_API_KEY for the workers and restart them; next try 03:14:20 UTC.',
      untilMs: seconds('03:14:20'),
    });
    const message = (own: Partial<Lane>): string | undefined =>
      laneWait({ ...lane, ...own }, refused('unauthorized', said), all)?.message;
    expect(message({ credential: 'NIGHT_KEY' })).toContain('Set NIGHT_KEY for the workers');
    expect(message({ provider: 'default', credential: 'default' })).toMatch(
      /^gpt-4o-mini at the default provider: 401 .* Set OPENAI_API_KEY for the workers/,
    );
    expect(message({ provider: 'acme', credential: 'default' })).toContain(
      'Set api_key_env of provider acme in NIGHTSHIFT_CONFIG and restart the workers',
    );
  });

  it('names the fix for an empty account, and for a model that is not allowed', () => {
    expect(
      laneWait(lane, refused('insufficient_quota', 'The provider answered 429: No quota.'), all)
        ?.message,
    ).toBe(
      'gpt-4o-mini at openai: 429 No quota. Add credit or raise the budget at the provider; a restart is not needed; next try 03:14:20 UTC.',
    );
    expect(
      laneWait(lane, refused('forbidden', 'The provider answered 403: No access.'), all)?.message,
    ).toBe(
      'gpt-4o-mini at openai: 403 No access. Allow this model for the key at the provider, or set OPENAI_API_KEY for the workers and restart them; next try 03:14:20 UTC.',
    );
  });

  it('distinguishes a pause by an operator from one by the provider', () => {
    expect(laneWait(lane, { ...open, operatorPaused: true }, all)).toEqual({
      reason: 'paused',
      message:
        'gpt-4o-mini at openai is paused by an operator. Resume it: nightshift resume lane_0123456789abcdef.',
      untilMs: null,
    });
  });

  it('says since when the provider has been unreachable', () => {
    expect(laneWait(lane, unreachable('fetch failed (ECONNREFUSED)'), all)).toEqual({
      reason: 'provider_unreachable',
      message:
        "gpt-4o-mini at openai does not answer: fetch failed (ECONNREFUSED) (12 failed calls since 03:10:02 UTC). Check the provider and the workers' connection to it; no attempt is charged; next try 03:14:20 UTC.",
      untilMs: seconds('03:14:20'),
    });
  });

  it('includes the date when it is another day', () => {
    const coolingUntilMs = Date.UTC(2027, 0, 16, 0, 0, 0, 1);
    expect(laneWait(lane, { ...open, coolingUntilMs }, all)).toMatchObject({
      reason: 'rate_limit',
      message: expect.stringContaining('Calls resume at 2027-01-16 00:00:01 UTC.'),
    });
  });

  it('never repeats text that may quote a request where other tenants read it', () => {
    const text = fc.stringMatching(/^[a-z ]{0,20}SECRET[a-zA-Z .:\n"]{0,40}$/);
    const answers = fc.constantFrom(
      'The provider answered 403: ',
      'the provider answered 500: ',
      'the provider answered 200 with an error: ',
    );
    fc.assert(
      fc.property(answers, text, (answer, secret) => {
        for (const state of [refused('forbidden', answer + secret), unreachable(answer + secret)]) {
          const message = laneWait(lane, state, { quotes: false })?.message;
          expect(message).not.toContain('SECRET');
          expect(message).toMatch(/it answered \d{3}/);
          expect(laneWait(lane, state, { quotes: true })?.message).toContain('SECRET');
        }
      }),
    );
  });

  it('never repeats a key, and stays on one line', () => {
    const key = fc.stringMatching(/^sk-[A-Za-z0-9]{20,40}$/);
    fc.assert(
      fc.property(key, fc.string(), fc.string({ maxLength: 2000 }), (secret, before, after) => {
        const said = `The provider answered 401: ${before} ${secret} ${after}`;
        const message = laneWait(lane, refused('unauthorized', said), all)?.message ?? '';
        expect(message).not.toContain(secret);
        expect(message).not.toMatch(/\p{Cc}/u);
        expect(message.length).toBeLessThan(600);
        expect(message).toContain('next try 03:14:20 UTC.');
      }),
    );
  });
});

describe('the fleet', () => {
  it('says that no worker is alive, and which one was last', () => {
    expect(noWorkerWait(fleetOf())?.message).toBe(
      'No worker is alive. Start one: nightshift worker.',
    );
    expect(noWorkerWait(fleetOf({}))).toBeNull();
    expect(
      noWorkerWait(
        fleetOf(
          { state: 'silent', lastSeenAtMs: NOW - 90_000 },
          { state: 'silent', lastSeenAtMs: NOW - 15_000, pid: 9 },
        ),
      )?.message,
    ).toBe(
      'No worker is alive; the last one (process 9 on host-a) was seen at 03:13:50 UTC. Start one: nightshift worker.',
    );
    expect(noWorkerWait(fleetOf({ state: 'stopping' }))?.message).toContain('is stopping');
  });

  it('has no slot when all alive workers are busy', () => {
    expect(noSlotWait(fleetOf({ slotsUsed: 64 }), 'interactive')?.message).toBe(
      'All 64 slots of the only worker are busy with other work. Start more workers or raise WORKER_CONCURRENCY.',
    );
    expect(noSlotWait(fleetOf({ slotsUsed: 63 }), 'interactive')).toBeNull();
    // Three of 64 are kept for interactive jobs.
    expect(noSlotWait(fleetOf({ slotsUsed: 61 }), 'bulk')).toMatchObject({ reason: 'no_slot' });
    expect(noSlotWait(fleetOf({ slotsUsed: 64 }, { slotsUsed: 5 }), 'bulk')).toBeNull();
    expect(noSlotWait(fleetOf({ slotsUsed: 64 }, { state: 'silent' }), 'bulk')).toMatchObject({
      reason: 'no_slot',
    });
    expect(noSlotWait(fleetOf(), 'bulk')).toBeNull();
  });
});

describe('a job', () => {
  const facts: JobFacts = {
    lane,
    state: open,
    budget: null,
    fleet: fleetOf({}),
    isRedisFull: false,
    words: all,
  };
  const wait = (more: Partial<Job>, other: Partial<JobFacts> = {}): Wait | null =>
    jobWait({ ...job, ...more }, { ...facts, ...other });

  it('names the first thing that holds it up', () => {
    expect(wait({})).toBeNull();
    expect(wait({ runAtMs: NOW, retryAtMs: NOW, waitReason: 'backoff' })).toBeNull();
    const everything = {
      state: { ...refused('forbidden', 'No.'), coolingUntilMs: NOW + 9000 },
      fleet: fleetOf(),
      isRedisFull: true,
    };
    expect(wait({ runAtMs: NOW + 1500 }, everything)).toEqual({
      reason: 'run_at',
      message: 'Starts at 03:14:07 UTC, the time in run_at.',
      untilMs: NOW + 1500,
    });
    expect(
      wait({ retryAtMs: NOW + 1, waitReason: 'rate_limit', waitMessage: 'Slow down.' }, everything),
    ).toEqual({ reason: 'rate_limit', message: 'Slow down.', untilMs: NOW + 1 });
    expect(wait({ retryAtMs: NOW + 1 })).toMatchObject({ reason: 'backoff' });
    expect(wait({}, everything)).toMatchObject({ reason: 'no_worker' });
    expect(wait({}, { ...everything, fleet: facts.fleet })).toMatchObject({
      reason: 'lane_paused',
      untilMs: seconds('03:14:20'),
    });
    expect(wait({}, { state: { ...open, operatorPaused: true } })).toMatchObject({
      reason: 'paused',
    });
    expect(wait({}, { state: { ...open, coolingUntilMs: NOW + 9000 } })).toMatchObject({
      reason: 'rate_limit',
    });
    const busy = fleetOf({ slotsUsed: 64 });
    expect(wait({}, { fleet: busy, isRedisFull: true })).toMatchObject({ reason: 'redis_full' });
    expect(wait({}, { fleet: busy })).toMatchObject({ reason: 'no_slot' });
    for (const status of ['in_progress', 'completed', 'cancelled'] as const) {
      expect(wait({ status, runAtMs: NOW + 1500 }, everything)).toBeNull();
    }
  });

  it('that was just accepted has no reason', () => {
    const busy = { fleet: fleetOf({ slotsUsed: 64 }), isRedisFull: true };
    expect(wait({ createdAtMs: NOW - 1000 }, busy)).toBeNull();
  });

  it('says which limit holds it up, and until when', () => {
    const dimension = { limit: 1, capacity: 1, level: 0 };
    const budget = {
      epoch: 'e',
      at: NOW,
      requests: { ...dimension, rate: 500 / 60_000, source: 'headers' },
      tokens: { ...dimension, rate: 30_000 / 60_000, source: 'headers' },
      next_at: { interactive: 0, bulk: NOW + 2500 },
    } as const;
    expect(wait({}, { budget })).toEqual({
      reason: 'rate_limit',
      message:
        'gpt-4o-mini at openai: the limit of 500 requests and 30,000 tokens per minute (from the provider) is used up. Calls continue as it allows.',
      untilMs: NOW + 2500,
    });
    expect(wait({ priority: 'interactive' }, { budget })).toBeNull();
    // Nobody has asked for a call for a while: nothing waits for the limit.
    const calm = { ...budget, next_at: { interactive: 0, bulk: NOW - 10_000 } };
    expect(wait({}, { budget: calm })).toBeNull();
  });
});

describe('a batch', () => {
  const wait = (more: Partial<Batch>, fleet = fleetOf({})) =>
    batchWait({ ...batch, ...more }, fleet);
  const heldUp = { reason: 'storage', message: 'The blob store is full.' } as const;

  it('that is settled has no reason', () => {
    for (const status of ['completed', 'failed', 'expired', 'cancelled'] as const) {
      expect(wait({ status, paused: true, heldUp }, fleetOf())).toBeNull();
    }
  });

  it('names the reason that holds the whole batch', () => {
    expect(wait({})).toBe('look_at_lines');
    expect(wait({ paused: true }, fleetOf())).toEqual({
      reason: 'paused',
      message: 'The batch is paused. Resume it: nightshift resume batch_1.',
      untilMs: null,
    });
    expect(wait({ runAtMs: NOW + 1000, heldUp }, fleetOf())).toMatchObject({ reason: 'run_at' });
    const quietHours = { start: '22:00', end: '02:00', timeZone: 'UTC' };
    expect(wait({ quietHours }, fleetOf())).toEqual({
      reason: 'quiet_hours',
      message:
        'The batch runs from 22:00 to 02:00 UTC, its quiet hours. It resumes at 22:00:00 UTC.',
      untilMs: Date.UTC(2027, 0, 15, 22),
    });
    expect(wait({ quietHours: { ...quietHours, end: '04:00' } })).toBe('look_at_lines');
    expect(wait({ heldUp }, fleetOf())).toMatchObject({ reason: 'no_worker' });
    expect(wait({ heldUp })).toEqual({ ...heldUp, untilMs: null });
  });

  it('is held up before its first line and after its last one, too', () => {
    for (const status of ['validating', 'finalizing', 'cancelling'] as const) {
      expect(wait({ status, paused: true }, fleetOf())).toMatchObject({ reason: 'no_worker' });
      expect(wait({ status, heldUp })).toMatchObject({ reason: 'storage' });
      expect(wait({ status, paused: true, runAtMs: NOW + 1 })).toBeNull();
    }
  });

  const group = (more: Partial<LineGroup>): LineGroup => ({
    ...{ laneId: 'lane_a', state: 'queued', count: 10, retryAtMs: null, message: '' },
    ...more,
  });
  const because = (reason: Wait['reason']): Wait => ({ reason, message: reason, untilMs: null });
  const busy = fleetOf({ slotsUsed: 64 });
  const lines = (groups: LineGroup[], waits: Record<string, Wait> = {}, fleet = fleetOf({})) =>
    linesWait({ isMoving: false, groups }, new Map(Object.entries(waits)), fleet)?.reason ?? null;

  it('shows the reason that holds most of its open lines', () => {
    const waits = { lane_a: because('lane_paused'), lane_b: because('provider_unreachable') };
    expect(lines([group({}), group({ laneId: 'lane_b', count: 9 })], waits)).toBe('lane_paused');
    expect(lines([group({}), group({ laneId: 'lane_b', count: 11 })], waits)).toBe(
      'provider_unreachable',
    );
    expect(lines([group({}), group({ state: 'backoff', count: 11 })], waits)).toBe('backoff');
    expect(lines([group({}), group({ laneId: 'lane_free', count: 90 })], waits)).toBeNull();
    // A trial call is on its way.
    expect(lines([group({}), group({ state: 'called', count: 1 })], waits)).toBe('lane_paused');
    expect(lines([])).toBeNull();
  });

  it('has no reason while lines settle', () => {
    const waits = new Map([['lane_a', because('lane_paused')]]);
    expect(linesWait({ isMoving: true, groups: [group({})] }, waits, busy)).toBeNull();
  });

  it('waits for a slot only when other work holds them all', () => {
    expect(lines([group({})], {}, busy)).toBe('no_slot');
    expect(lines([group({}), group({ state: 'called', count: 1 })], {}, busy)).toBeNull();
    expect(lines([group({})])).toBeNull();
  });

  it('shows a reason of one of its lines, or none', () => {
    const groups = fc.array(
      fc.record({
        laneId: fc.constantFrom('lane_a', 'lane_b'),
        state: fc.constantFrom('called', 'queued', 'backoff'),
        count: fc.integer({ min: 1, max: 1000 }),
        retryAtMs: fc.constant(NOW),
        message: fc.string(),
      }),
    );
    const reasons = fc.constantFrom(...waitReasons);
    fc.assert(
      fc.property(groups, reasons, (some, reason) => {
        const wait = lines(some, { lane_a: because(reason) });
        const possible = some.flatMap(({ state, laneId }) => {
          if (state === 'backoff') return ['backoff'];
          return state === 'queued' && laneId === 'lane_a' ? [reason] : [];
        });
        expect([null, ...possible]).toContain(wait);
      }),
    );
  });
});

it('names the blob store’s fault and location, with the same message at each try', () => {
  const cause = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
  });
  const message = storageMessage(
    'full',
    'file:/data/blobs',
    causeOf(new Error('segment b/output-7-x: ENOSPC', { cause })),
  );
  expect(message).toBe(
    'The blob store file:/data/blobs is full: ENOSPC: no space left on device. Free space there; it is retried every second.',
  );
  const s3 = Object.assign(new Error('Access Denied'), { name: 'AccessDenied' });
  expect(
    storageMessage('unavailable', 's3://night/x', causeOf(new Error('blob x', { cause: s3 }))),
  ).toBe(
    'The blob store s3://night/x cannot be used: AccessDenied: Access Denied. Check that it exists and that the workers may write to it; it is retried every second.',
  );
});
