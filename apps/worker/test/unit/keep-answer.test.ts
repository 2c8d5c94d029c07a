import { createLogger } from '@nightshift/shared/telemetry';
import type { Claim } from '@nightshift/shared/redis';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { answerBlobName, createAnswerKeeper } from '../../src/attempt/keep-answer.ts';

const claim = { tenant: 't', jobId: 'job_1', generation: 3 } as Claim;
const answerOf = (length: number) => ({
  statusCode: 200,
  requestId: null,
  body: 'é'.repeat(length),
});

function setUp({ isTight = false, isBroken = false } = {}) {
  const steps: string[] = [];
  const keep = createAnswerKeeper({
    attempts: { holdAnswer: async (tenant, blob) => void steps.push(`hold ${tenant} ${blob}`) },
    blobs: {
      put: async (name, source) => {
        if (isBroken) throw new Error('no room');
        let bytes = 0;
        for await (const piece of source) bytes += piece.length;
        steps.push(`put ${name}`);
        return { bytes };
      },
    },
    memory: { isTight: () => isTight },
    logger: createLogger('worker', 'silent'),
  });
  return { steps, keep };
}

it.each([
  [64_000, false, false],
  [64_001, false, true],
  [4000, true, false],
  [4001, true, true],
])(
  'of %i characters, Redis tight: %s, goes to the blob store: %s',
  async (length, isTight, isBlob) => {
    const { steps, keep } = setUp({ isTight });
    const kept = await keep(claim, answerOf(length));
    const name = answerBlobName(claim);
    expect(kept?.blob).toEqual(isBlob ? { name, bytes: 2 * length } : undefined);
    // Announced before it is written: a crash in between leaves nothing that nobody removes.
    expect(steps).toEqual(isBlob ? [`hold t ${name}`, `put ${name}`] : []);
  },
);

it('keeps an answer in Redis when the blob store refuses it', async () => {
  const answer = answerOf(100_000);
  expect(await setUp({ isBroken: true }).keep(claim, answer)).toBe(answer);
});

it('names a blob by job and generation, in a form that all stores accept', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.nat(), fc.nat(), (uuid, line, generation) => {
      const hex = uuid.replaceAll('-', '');
      const names = [`job_${hex}`, `req_${hex}_${line}`].map((jobId) =>
        answerBlobName({ jobId, generation }),
      );
      for (const name of names) expect(name).toMatch(/^answers-[0-9a-f]{2}\/[a-z0-9_]+-\d+$/);
    }),
  );
});
