import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@nightshift/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inputFile, names, setBatchStage, type BatchStage } from '../support/batch-stage.ts';

/** A whole Nightshift whose work waits for one reason after the other, and says which. */
let stage: BatchStage;
beforeAll(async () => {
  stage = await setBatchStage({ workers: 0 });
});
afterAll(async () => {
  await stage.stop();
});

interface Waits {
  reason: string;
  message: string;
  until: number | null;
}
const waitOf = async (id: string): Promise<Waits | null> => {
  const answer = await stage.call(`/batches/${id}`);
  return ((await answer.json()) as { waiting_for: Waits | null }).waiting_for;
};
const waitsFor = async (id: string, reason: string, timeoutMs = 40_000): Promise<Waits> =>
  eventually(
    async () => {
      const wait = await waitOf(id);
      return wait?.reason === reason && wait;
    },
    { timeoutMs, describe: `batch ${id} to wait for ${reason}` },
  );
const created = async (count: number, model: string): Promise<string> => {
  const file = await stage.upload(inputFile(names(model, count), model));
  return (await stage.create({ input_file_id: file })).id;
};
/** What all workers, or the API, said of one event, at `warn`. */
const warnings = (who: 'api' | 'workers', event: string): string[] =>
  (who === 'api' ? [stage.stack.api] : stage.stack.workers)
    .flatMap(({ lines }) => lines)
    .filter((line) => line.includes('"level":"warn"') && line.includes(event));

describe('a waiting batch says why', () => {
  it('no worker: before its input is read, and while the only worker is frozen', async () => {
    const id = await created(4, 'sim-ok');
    expect(await waitOf(id)).toMatchObject({
      reason: 'no_worker',
      message: 'No worker is alive. Start one: nightshift worker.',
    });
    await stage.stack.api.waitForLine(/workers\.none_alive/);
    const worker = await stage.stack.startWorker();
    await stage.settled(id);
    expect(await waitOf(id)).toBeNull();
    await stage.stack.api.waitForLine(/workers\.alive_again/);

    worker.signal('SIGSTOP');
    const second = await created(4, 'sim-ok');
    const frozenAt = performance.now();
    expect(await waitsFor(second, 'no_worker')).toMatchObject({
      message: expect.stringMatching(
        new RegExp(`\\(process ${worker.pid} on \\S+\\) was seen at \\d\\d:\\d\\d:\\d\\d UTC`),
      ),
    });
    expect(performance.now() - frozenAt).toBeLessThan(15_000);
    worker.signal('SIGCONT');
    await stage.settled(second);
    expect(warnings('api', 'workers.none_alive').length).toBeLessThanOrEqual(2);
  });

  it('no slot: another batch has them all', async () => {
    await stage.latency(60_000);
    await Promise.all(stage.stack.workers.map(async (child) => child.stop()));
    await stage.stack.startWorker({ WORKER_CONCURRENCY: '2', WORKER_DRAIN_MS: '0' });
    const first = await created(2, 'sim-ok--first');
    await stage.reaches(first, ({ status }) => status === 'in_progress');
    const second = await created(2, 'sim-ok--second');
    expect(await waitsFor(second, 'no_slot')).toMatchObject({
      message: expect.stringContaining('All 2 slots of the only worker are busy'),
    });
    // Its own lines have the slots.
    expect(await waitOf(first)).toBeNull();
    await stage.latency(0);
    await Promise.all([first, second].map(async (id) => stage.call(`/batches/${id}/cancel`, {})));
    await Promise.all(stage.stack.workers.map(async (child) => child.stop()));
    await Promise.all([stage.stack.startWorker(), stage.stack.startWorker()]);
    await Promise.all([first, second].map(async (id) => stage.settled(id)));
  });

  it('the provider refuses the key: with its message, the fix and the next try, and one log line', async () => {
    const id = await created(5, 'sim-401--lane');
    const wait = await waitsFor(id, 'lane_paused');
    expect(wait.message).toMatch(
      /^sim-401--lane at the default provider: 401 .*\. Set OPENAI_API_KEY for the workers and restart them; next try (now|\d\d:\d\d:\d\d UTC)\.$/,
    );
    const metrics = await (await fetch(`${stage.stack.apiUrl}/metrics`)).text();
    expect(metrics).toContain('nightshift_waiting{object="batch",reason="lane_paused"} 1');
    await eventually(() => warnings('workers', 'lane.held_up').length > 0);
    await stage.call(`/batches/${id}/cancel`, {});
    await stage.settled(id);
    expect(warnings('workers', 'lane.held_up')).toHaveLength(1);
    expect(warnings('workers', 'lane.held_up')[0]).toContain('Set OPENAI_API_KEY');
    expect(stage.stack.workers.flatMap(({ lines }) => lines).join('\n')).not.toContain('"attempt.');
  });

  it('storage: what and where, until it is back', async () => {
    const id = await created(30, 'sim-ok--storage');
    await stage.call(`/batches/${id}/pause`, {});
    expect(await waitsFor(id, 'paused')).toMatchObject({
      message: expect.stringContaining(`nightshift resume ${id}`),
    });
    const segments = join(stage.stack.dataDir, 'blobs', 'segments');
    const aside = `${segments}-aside`;
    expect(await readdir(join(stage.stack.dataDir, 'blobs'))).toContain('segments');
    await rename(segments, aside);
    await writeFile(segments, 'not a folder');
    await stage.call(`/batches/${id}/resume`, {});
    const wait = await waitsFor(id, 'storage');
    expect(wait.message).toMatch(
      /^The blob store file:\S+\/blobs cannot be used: E[A-Z]+: .* it is retried every second\.$/,
    );
    await rm(segments);
    await rename(aside, segments);
    expect((await stage.settled(id)).request_counts).toMatchObject({ completed: 30 });
    expect(warnings('workers', 'batch.held_up')).toHaveLength(1);
    expect(warnings('workers', 'batch.resumed')).toHaveLength(1);
  });
});
