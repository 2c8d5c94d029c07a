import { eventually } from '@nightshift/local';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inputFile, names, setBatchStage, type BatchStage } from '../support/batch-stage.ts';
import { judgeUsage } from '../support/judge-usage.ts';

const LINES = 4000;
const PATIENCE_MS = 120_000;
const mortal = new URL('../support/mortal-conductors.ts', import.meta.url);

let stage: BatchStage;
beforeAll(async () => {
  stage = await setBatchStage({ workers: 0 });
  await stage.latency(100);
});
afterAll(async () => {
  await stage?.stop();
});

it('replaces a thread of conductors that dies: the batch goes on, and no call is made twice', async () => {
  const worker = await stage.stack.startWorker({ NODE_OPTIONS: `--import=${mortal.href}` });
  const ids = names('m', LINES);
  const { id } = await stage.create({ input_file_id: await stage.upload(inputFile(ids)) });
  const epochs = (): string[] =>
    worker.lines
      .filter((line) => line.includes('"batch.conducted"'))
      .map((line) => (JSON.parse(line) as { epoch: string }).epoch);

  for (const [deaths, share] of [0.2, 0.5].entries()) {
    await stage.reaches(
      id,
      ({ request_counts: counts }) => (counts?.completed ?? 0) >= share * LINES,
      PATIENCE_MS,
    );
    worker.signal('SIGUSR2');
    await eventually(() => epochs().length === deaths + 2, { timeoutMs: 30_000 });
  }
  const batch = await stage.settled(id, PATIENCE_MS);

  expect(batch.status).toBe('completed');
  const judged = await stage.judged(batch, ids);
  expect(judged.failures).toEqual([]);
  const calls = await stage.calls();
  judgeUsage(batch, judged, calls);
  expect(calls).toHaveLength(LINES);
  expect(epochs()).toEqual(['1', '2', '3']);
  const deaths = worker.lines.filter((line) => line.includes('"batches.thread_died"'));
  expect(deaths.map((line) => JSON.parse(line) as object)).toMatchObject(
    Array.from({ length: 2 }, () => ({
      level: 'error',
      service: 'worker',
      reason: expect.stringContaining('Error: struck') as string,
    })),
  );
  expect(await worker.stop()).toMatchObject({ code: 0, signal: null });
});
