import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noStanding } from '@nightshift/shared/job';
import { decide, isKnownToFail, TRIAL_CHARGE_EVERY_MS } from '../../src/attempt/decide.ts';
import { isOwnRefusal } from '../../src/attempt/decide-refusal.ts';
import type { AttemptFacts, LaneFacts } from '../../src/attempt/next-step.ts';
import type { Outcome } from '../../src/attempt/outcome.ts';

const NOW = 1_800_000_000_000;
const policy = { baseMs: 2000, capMs: 60_000 };
const response = { statusCode: 500, requestId: null, body: '{}' };
const quiet: LaneFacts = {
  run: 1,
  isUnreachable: false,
  succeededAtMs: 0,
  succeededSentAtMs: 0,
  credentialSucceededAtMs: 0,
  credentialSucceededSentAtMs: 0,
  refusedShare: 0,
  refusedJob: null,
};
/** Another job's call was sent after this one, and came back. */
const busy: LaneFacts = {
  ...quiet,
  succeededAtMs: NOW + 10,
  succeededSentAtMs: NOW + 5,
  credentialSucceededAtMs: NOW + 10,
  credentialSucceededSentAtMs: NOW + 5,
};
const facts: AttemptFacts = {
  jobId: 'job_1',
  charged: 1,
  maxAttempts: 8,
  elapsedMs: 10,
  random: 0.5,
  sentAtMs: NOW,
  isProbe: false,
  standing: noStanding,
  lane: quiet,
};
const failure = (wasSent: boolean): Extract<Outcome, { kind: 'retryable' }> => ({
  kind: 'retryable',
  code: wasSent ? 'provider_error' : 'provider_unreachable',
  message: 'the provider answered 500',
  retryAfterMs: null,
  response: wasSent ? response : null,
  wasSent,
});
const refusal = (reason: 'forbidden' | 'unauthorized' | 'insufficient_quota'): Outcome => ({
  kind: 'lane_refused',
  reason,
  message: 'the provider answered 403',
  response,
});
const tooMany: Outcome = {
  kind: 'rate_limited',
  retryAfterMs: null,
  message: 'the provider answered 429',
  response,
};
const stepOf = (outcome: Outcome, more: Partial<AttemptFacts> = {}) =>
  decide(outcome, { ...facts, ...more }, policy);

describe('any other outcome', () => {
  it('settles a rejection at once, with the answer', () => {
    const outcome: Outcome = { kind: 'rejected', response, message: 'the provider answered 400' };
    expect(stepOf(outcome)).toMatchObject({
      kind: 'settle',
      settlement: {
        status: 'failed',
        response: { statusCode: 500 },
        error: { code: 'provider_rejected', message: 'The provider answered 400.' },
      },
    });
  });

  it('releases handed-off and hanging calls uncharged, and drops withdrawn ones', () => {
    for (const reason of ['handed_off', 'silent'] as const) {
      expect(stepOf({ kind: 'aborted', reason })).toMatchObject({
        kind: 'release',
        release: { charged: false, delayMs: null, reason: null, detail: reason },
        lane: null,
      });
    }
    expect(stepOf({ kind: 'aborted', reason: 'withdrawn' })).toEqual({ kind: 'drop' });
  });
});

describe('a failure while the breaker is closed', () => {
  it('charges an attempt, and stores its run', () => {
    expect(stepOf(failure(true))).toMatchObject({
      kind: 'release',
      release: { reason: 'backoff', charged: true, standing: { run: 1, chargedInRun: 1 } },
    });
    const standing = { ...noStanding, run: 1, chargedInRun: 1 };
    expect(stepOf(failure(true), { charged: 2, standing })).toMatchObject({
      release: { charged: true, standing: { run: 1, chargedInRun: 2 } },
    });
    expect(
      stepOf(failure(true), { charged: 2, standing, lane: { ...quiet, run: 2 } }),
    ).toMatchObject({ release: { standing: { run: 2, chargedInRun: 1 } } });
  });

  it('fails the job with its last attempt when the lane answers others', () => {
    expect(stepOf(failure(true), { charged: 8, lane: busy })).toMatchObject({
      kind: 'settle',
      settlement: { status: 'failed', response, error: { code: 'provider_error' } },
    });
    expect(stepOf(failure(false), { charged: 8, lane: busy })).toMatchObject({
      kind: 'settle',
      settlement: { response: null, error: { code: 'provider_unreachable' } },
    });
  });

  it('releases the job without charging its last attempt while the lane answers no call', () => {
    const standing = { ...noStanding, run: 1, chargedInRun: 7 };
    expect(stepOf(failure(true), { charged: 8, standing })).toMatchObject({
      kind: 'release',
      release: { reason: 'backoff', charged: false },
    });
  });

  it('fails a job with few attempts, unless no call reached the provider', () => {
    for (const maxAttempts of [1, 2, 3]) {
      const more = { charged: maxAttempts, maxAttempts };
      expect(stepOf(failure(true), more).kind).toBe('settle');
      expect(stepOf(failure(false), more)).toMatchObject({
        kind: 'release',
        release: { charged: false },
      });
    }
  });
});

describe('a failure while the breaker is open', () => {
  const lane = { ...quiet, isUnreachable: true, run: 0 };

  it('charges nothing, and requeues the job behind the others', () => {
    expect(stepOf(failure(true), { charged: 8, lane })).toMatchObject({
      kind: 'release',
      release: { reason: 'provider_unreachable', charged: false },
      lane: null,
    });
  });

  it('charges a trial that reached the provider, at most once in ten minutes', () => {
    const trial = { isProbe: true, lane };
    expect(stepOf(failure(true), trial)).toMatchObject({
      release: { charged: true, standing: { trialChargedAtMs: NOW } },
    });
    const recent = { ...noStanding, trialChargedAtMs: NOW - TRIAL_CHARGE_EVERY_MS + 1 };
    expect(stepOf(failure(true), { ...trial, standing: recent })).toMatchObject({
      release: { charged: false },
    });
    const old = { ...noStanding, trialChargedAtMs: NOW - TRIAL_CHARGE_EVERY_MS };
    expect(stepOf(failure(true), { ...trial, standing: old, charged: 8 })).toMatchObject({
      kind: 'settle',
      settlement: { status: 'failed', error: { code: 'provider_error' } },
    });
  });

  it('never charges a trial that could not connect', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(2 ** 40), (charged, at) => {
        const standing = { ...noStanding, trialChargedAtMs: at };
        expect(stepOf(failure(false), { isProbe: true, lane, charged, standing })).toMatchObject({
          kind: 'release',
          release: { charged: false },
        });
      }),
    );
  });
});

describe('a request that is known to fail', () => {
  it('failed before while others succeeded recently', () => {
    expect(isKnownToFail({ wasSent: true }, { ...facts, charged: 3, lane: busy })).toBe(true);
    expect(isKnownToFail({ wasSent: true }, { ...facts, charged: 2, lane: busy })).toBe(false);
    expect(isKnownToFail({ wasSent: false }, { ...facts, charged: 3, lane: busy })).toBe(false);
    expect(isKnownToFail({ wasSent: true }, { ...facts, charged: 3 })).toBe(false);
    const standing = { ...noStanding, run: 1, chargedInRun: 2 };
    expect(isKnownToFail({ wasSent: true }, { ...facts, charged: 4, standing, lane: busy })).toBe(
      false,
    );
  });
});

describe('401, an empty account', () => {
  it('pauses the lane, charges nothing, and lets the probe take another job', () => {
    for (const reason of ['unauthorized', 'insufficient_quota'] as const) {
      const step = stepOf(refusal(reason), { charged: 8, lane: busy });
      expect(step).toMatchObject({
        kind: 'release',
        release: { reason: 'lane_paused', charged: false },
        lane: { kind: 'pause', reason },
      });
      if (step.kind === 'release') expect(step.release.delayMs).toBeGreaterThan(0);
    }
  });
});

describe('403', () => {
  it('pauses a lane whose credential has not worked yet', () => {
    expect(stepOf(refusal('forbidden'))).toMatchObject({
      release: { reason: 'lane_paused', charged: false },
      lane: { kind: 'pause', reason: 'forbidden' },
    });
  });

  it('delays the job after its first one if the credential worked before', () => {
    const lane = { ...quiet, credentialSucceededAtMs: NOW - 1000, credentialSucceededSentAtMs: 1 };
    expect(stepOf(refusal('forbidden'), { lane })).toMatchObject({
      kind: 'release',
      release: { charged: false, standing: { refusals: 1, refusedSentAtMs: NOW } },
      lane: null,
    });
  });

  it('belongs to the request when a call that was sent later succeeded', () => {
    const standing = { ...noStanding, refusals: 1, refusedSentAtMs: NOW - 2000 };
    expect(stepOf(refusal('forbidden'), { standing, lane: busy })).toMatchObject({
      kind: 'settle',
      settlement: { status: 'failed', response, error: { code: 'provider_rejected' } },
    });
  });

  it('pauses the lane when no call that was sent later succeeded: the key was revoked', () => {
    const standing = { ...noStanding, refusals: 1, refusedSentAtMs: NOW - 2000 };
    const lane = {
      ...quiet,
      credentialSucceededAtMs: NOW - 500,
      credentialSucceededSentAtMs: NOW - 3000,
    };
    expect(stepOf(refusal('forbidden'), { standing, lane })).toMatchObject({
      kind: 'release',
      lane: { kind: 'pause', reason: 'forbidden' },
    });
  });

  it('belongs to the request when it is the last job and no other was refused', () => {
    const standing = { ...noStanding, refusals: 3, refusedSentAtMs: NOW - 30_000 };
    const lane = { ...quiet, credentialSucceededAtMs: NOW - 31_000, refusedJob: 'job_1' };
    const more = { standing, lane, isProbe: true };
    expect(stepOf(refusal('forbidden'), more).kind).toBe('settle');
    const several = { ...more, lane: { ...lane, refusedJob: '*' } };
    expect(stepOf(refusal('forbidden'), several).kind).toBe('release');
    const neverWorked = { ...more, lane: { ...lane, credentialSucceededAtMs: 0 } };
    expect(stepOf(refusal('forbidden'), neverWorked).kind).toBe('release');
  });
});

describe('429', () => {
  it('cools the lane and returns the job to the head of its queue the first time', () => {
    expect(stepOf({ ...tooMany, retryAfterMs: 3000 })).toMatchObject({
      release: { reason: 'rate_limit', charged: false, delayMs: null, standing: { refusals: 1 } },
      lane: { kind: 'cool', retryAfterMs: 3000 },
    });
  });

  it('requeues the job behind others when it repeats and no other call succeeded', () => {
    const standing = { ...noStanding, refusals: 1, refusedSentAtMs: NOW - 100 };
    const step = stepOf(tooMany, { standing });
    expect(step).toMatchObject({ release: { charged: false }, lane: { kind: 'cool' } });
    if (step.kind === 'release') expect(step.release.delayMs).toBeGreaterThan(0);
  });

  it('delays the job longer each time, and fails it after ten while others succeed', () => {
    let standing = { ...noStanding, refusals: 1, refusedSentAtMs: NOW - 100 };
    const delays: number[] = [];
    for (let refusals = 2; refusals < 10; refusals += 1) {
      const step = stepOf(tooMany, { standing, lane: busy });
      if (step.kind !== 'release') throw new Error(step.kind);
      expect(step.lane).toBeNull();
      delays.push(step.release.delayMs ?? 0);
      standing = step.release.standing ?? standing;
    }
    expect(delays.every((delay, at) => at === 0 || delay >= (delays[at - 1] ?? 0))).toBe(true);
    expect(stepOf(tooMany, { standing, lane: busy })).toMatchObject({
      kind: 'settle',
      settlement: { status: 'failed', response, error: { code: 'provider_rejected' } },
    });
  });

  it('never belongs to the request when many calls are refused', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), (refusals) => {
        const standing = { ...noStanding, refusals, refusedSentAtMs: NOW - 100 };
        const lane = { ...busy, refusedShare: 0.5 };
        expect(isOwnRefusal({ ...facts, standing, lane })).toBe(false);
        expect(stepOf(tooMany, { standing, lane })).toMatchObject({
          kind: 'release',
          lane: { kind: 'cool' },
        });
      }),
    );
  });
});
