import { systemClock } from '@nightshift/shared/clock';
import { readConfiguration } from '@nightshift/shared/config';
import { noStanding } from '@nightshift/shared/job';
import type { AttemptStore, Claim } from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import { expect, it } from 'vitest';
import { createInFlight, type InFlight } from '../../src/attempt/in-flight.ts';
import { runAttempt, type DeliveryEnd } from '../../src/attempt/run-attempt.ts';
import type { LaneFacts } from '../../src/attempt/next-step.ts';
import type { ProviderAnswer } from '../../src/provider/index.ts';

const claim: Claim = {
  tenant: 'default',
  jobId: 'job_1',
  generation: 1,
  attempt: 1,
  rescues: 0,
  maxAttempts: 8,
  endpoint: '/v1/chat/completions',
  priority: 'bulk',
  body: '{}',
  expiresAtMs: null,
  firstAttemptAtMs: 0,
  createdAtMs: 0,
  standing: noStanding,
  nowMs: 0,
};
const quietLane: LaneFacts = {
  run: 0,
  isUnreachable: false,
  succeededAtMs: 0,
  succeededSentAtMs: 0,
  credentialSucceededAtMs: 0,
  credentialSucceededSentAtMs: 0,
  refusedShare: 0,
  refusedJob: null,
};
const answered = (status: number, body: string): ProviderAnswer => ({
  kind: 'answered',
  status,
  headers: { get: () => null },
  body,
});

/** An attempt whose record is not written until `recorded` is called, and what was done so far. */
function attempt(answer: ProviderAnswer, inFlight: InFlight = createInFlight()) {
  const steps: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const recording = async <Reply>(step: string, reply: Reply): Promise<Reply> => {
    steps.push(step);
    await promise;
    return reply;
  };
  const attempts = {
    begin: async () => ({ kind: 'started', claim }),
    settle: async () => recording('settle', 'settled'),
    release: async () => recording('release', 'released'),
  } as unknown as AttemptStore;
  const ended: Promise<DeliveryEnd> = runAttempt(
    { tenant: 'default', jobId: 'job_1', delivery: 1 },
    {
      laneId: 'lane_1',
      model: 'm',
      provider: {
        call: async () => {
          inFlight.park('lane_1', Infinity);
          return answer;
        },
        close: async () => {},
      },
      reserve: async () => ({
        isProbe: false,
        timeoutMs: null,
        sent: () => {},
        heard: () => {},
        park: () => void steps.push('park'),
        end: async () => void steps.push('end'),
      }),
      openedRuns: ',',
      heard: () => quietLane,
      failed: async () => quietLane,
      report: async () => {},
    },
    new AbortController().signal,
    {
      attempts,
      inFlight,
      keepAnswer: async (_claim, response) => response,
      configuration: readConfiguration({}, 'test', {}),
      clock: systemClock,
      random: () => 0.5,
      workerId: 'worker_1',
      logger: createLogger('test', 'silent'),
    },
  );
  return { steps, ended, recorded: resolve, broken: reject };
}
const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('lets go of its slot once the result is on its way, and ends when it is recorded', async () => {
  const { steps, ended, recorded } = attempt(answered(200, '{"choices":[]}'));
  await turn();
  // A call that is parked while it hangs gives its own slot away.
  expect(steps.slice(0, 3)).toEqual(['park', 'settle', 'end']);
  let isOver = false;
  void ended.then(() => (isOver = true));
  await turn();
  expect(isOver).toBe(false);
  recorded();
  expect(await ended).toBe('finished');
});

it('keeps its slot until a job is released that is called again', async () => {
  const { steps, ended, recorded } = attempt(answered(503, ''));
  await turn();
  expect(steps).toEqual(['park', 'release']);
  recorded();
  await ended;
  expect(steps).toEqual(['park', 'release', 'end']);
});

it('tells when the result could not be recorded', async () => {
  const { ended, broken } = attempt(answered(200, '{"choices":[]}'));
  await turn();
  broken(new Error('no reply (settle-job)'));
  await expect(ended).rejects.toThrow('no reply');
});
