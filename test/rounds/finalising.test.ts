import { createHash } from 'node:crypto';
import type { Child } from '@nightshift/local';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  inputFile,
  names,
  setBatchStage,
  type Batch,
  type BatchStage,
} from '../support/batch-stage.ts';
import { judgeUsage } from '../support/judge-usage.ts';
import { repeats } from '../support/ledger.ts';
import { strikeAt } from '../support/stepping.ts';

/** More than are written to a file in one go, and some of them fail. */
const SOUND = 600;
const FAILING = 100;

/**
 * Every step of a conductor with its two sides; see apps/worker/test/stepping/steps.ts. `feed` comes last: what has been fed is
 * called by whichever worker is there, and would be in flight when the next one is killed.
 */
const points = [
  ...['begin', 'skip', 'results', 'open-output', 'append-output', 'open-errors'],
  ...['append-errors', 'commit', 'finalize', 'finish', 'feed'],
].flatMap((step) => {
  const moments = step.startsWith('append') ? ['before', 'midway', 'after'] : ['before', 'after'];
  return moments.map((moment) => ({ step, moment }));
});

let stage: BatchStage;
beforeAll(async () => {
  stage = await setBatchStage({ workers: 0 });
  await stage.latency(1);
});
afterEach(async () => {
  for (const worker of stage.stack.workers) worker.signal('SIGCONT');
  await Promise.all(stage.stack.workers.map(async (worker) => worker.stop()));
});
afterAll(async () => {
  await stage?.stop();
});

interface Trial {
  point: string;
  ids: string[];
  batch: Batch;
  worker: Child;
}

/** Hands in a batch, and starts the only worker, which sends itself a signal at a point of its conducting. */
async function tryAt(step: string, moment: string, signal: 'SIGKILL' | 'SIGSTOP'): Promise<Trial> {
  const point = `${step}-${moment}-${signal}`;
  const sound = names(`${point}-ok`, SOUND);
  const failing = names(`${point}-no`, FAILING);
  const text = inputFile(sound, 'gpt-4o-mini') + inputFile(failing, 'sim-400');
  const isSkipped = step === 'skip';
  const batch = await stage.create({
    input_file_id: await stage.upload(text),
    // Not to be called before they are cancelled.
    ...(isSkipped && ({ run_at: Math.ceil(Date.now() / 1000) + 3600 } as object)),
  });
  if (isSkipped) await stage.client.batches.cancel(batch.id);
  const worker = await strikeAt(stage, batch.id, { step, moment, signal });
  return { point, ids: [...sound, ...failing], batch, worker };
}

/** A trial has ended as it must: nothing lost, doubled, or called again. */
async function judge({ point, ids, batch }: Trial): Promise<string> {
  const settled = await stage.settled(batch.id, 120_000);
  const isSkipped = point.startsWith('skip-');
  expect([point, settled.status]).toEqual([point, isSkipped ? 'cancelled' : 'completed']);
  const judged = await stage.judged(settled, ids);
  const isMine = new Set(ids);
  const calls = (await stage.calls()).filter(({ marker }) => isMine.has(marker ?? ''));
  expect([point, calls.length]).toEqual([point, isSkipped ? 0 : ids.length]);
  expect([point, repeats(calls).length]).toEqual([point, 0]);
  judgeUsage(settled, judged, calls);
  if (!isSkipped) expect([point, judged.output.length]).toEqual([point, SOUND]);
  return digest({ settled, judged });
}

function digest(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

describe('a conductor that is killed at a step', () => {
  it('leaves the batch to another, which ends it as if nothing had been', async () => {
    const trials: Trial[] = [];
    for (const { step, moment } of points) {
      const trial = await tryAt(step, moment, 'SIGKILL');
      await trial.worker.exited;
      trials.push(trial);
    }
    await Promise.all([stage.stack.startWorker(), stage.stack.startWorker()]);
    for (const trial of trials) await judge(trial);
    console.log(`killed at ${trials.map(({ point }) => point).join(', ')}`);
  });
});

describe('a conductor that is frozen at a step', () => {
  it('changes nothing when it wakes up after another has ended the batch', async () => {
    const trials: Trial[] = [];
    for (const { step, moment } of points.filter((point) => point.moment !== 'midway')) {
      trials.push(await tryAt(step, moment, 'SIGSTOP'));
    }
    await Promise.all([stage.stack.startWorker(), stage.stack.startWorker()]);
    const before: string[] = [];
    for (const trial of trials) before.push(await judge(trial));
    for (const { worker } of trials) {
      worker.signal('SIGCONT');
      await worker.waitForLine(/^woken /);
    }
    // What it had begun it has ended when it has stopped.
    await Promise.all(trials.map(async ({ worker }) => worker.stop()));
    const after: string[] = [];
    for (const trial of trials) after.push(await judge(trial));
    expect(after).toEqual(before);
  });
});
