import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@nightshift/local';
import { APIError, toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inputFile, names, setBatchStage, type BatchStage } from '../support/batch-stage.ts';
import { judgeUsage } from '../support/judge-usage.ts';
import { repeats } from '../support/ledger.ts';
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';

let disk: SmallDisk;
let stage: BatchStage;
beforeAll(async () => {
  disk = await mountSmallDisk(4);
  stage = await setBatchStage({
    workers: 1,
    env: { NIGHTSHIFT_BLOBS: `file:${disk.path}`, LOG_LEVEL: 'debug' },
  });
  await stage.latency(5);
});
afterAll(async () => {
  await stage?.stop();
  await disk?.stop();
});

const linesOf = (level: string, event: string): string[] =>
  stage.stack.workers
    .flatMap(({ lines }) => lines)
    .filter((line) => line.includes(`"level":"${level}"`) && line.includes(event));
/** Each try that failed: the first of a conductor as a warning. */
const heldUp = (): number =>
  [...linesOf('warn', 'batch.held_up'), ...linesOf('debug', 'batch.held_up')].filter((line) =>
    line.includes('ENOSPC'),
  ).length;

describe('a batch that ends while the disk is full', () => {
  it('waits with its results, through the death of its conductor, and ends when there is room', async () => {
    const ids = names('full', 1000);
    const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
    await stage.call(`/batches/${id}/pause`, {});
    await disk.fill();
    await stage.call(`/batches/${id}/resume`, {});
    const answered = await stage.reaches(
      id,
      ({ request_counts: counts }) => counts?.completed === ids.length,
    );
    const triedThrice = async (): Promise<void> => {
      const before = heldUp();
      await eventually(() => heldUp() >= before + 3, {
        timeoutMs: 60_000,
        describe: 'the conductor to try again',
      });
    };
    await triedThrice();
    await stage.stack.startWorker();
    await stage.conductorOf(id)?.kill9();
    await triedThrice();

    const waiting = await stage.client.batches.retrieve(id);
    expect(['in_progress', 'finalizing']).toContain(waiting.status);
    expect(waiting.output_file_id ?? null).toBeNull();
    expect(waiting.request_counts).toEqual(answered.request_counts);
    expect(waiting).toMatchObject({
      waiting_for: {
        reason: 'storage',
        message: expect.stringContaining(`The blob store file:${disk.path} is full: ENOSPC`),
      },
    });
    expect(linesOf('warn', 'batch.held_up').length).toBeLessThanOrEqual(4);
    // What has not been written is not collected.
    const segments = await readdir(join(disk.path, 'segments', id)).catch(() => []);
    expect(segments.length).toBeLessThanOrEqual(3);
    const file = await toFile(Buffer.from('{}\n'.repeat(5000)), 'more.jsonl');
    const refused: unknown = await stage.client.files
      .create({ file, purpose: 'batch' }, { maxRetries: 0 })
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(APIError);
    expect(refused).toMatchObject({ status: 503, code: 'storage_full' });

    await disk.free();
    const batch = await stage.settled(id);
    expect(batch).toMatchObject({ status: 'completed', waiting_for: null });
    expect(linesOf('warn', 'batch.resumed')).toHaveLength(1);
    const judged = await stage.judged(batch, ids);
    const calls = await stage.calls();
    judgeUsage(batch, judged, calls);
    expect(repeats(calls)).toEqual([]);
  });
});
