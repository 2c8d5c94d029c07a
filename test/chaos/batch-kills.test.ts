import type { Child } from '@nightshift/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repeats } from '../support/ledger.ts';
import { setBatchStage, type BatchStage } from '../support/batch-stage.ts';
import { seeded } from '../support/random.ts';

const LINES = 5000;
/** ROUNDS=20 SEED=… for more of them, or for the same again. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 2);
const firstSeed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9));
/** What one worker process may have in flight. */
const CONCURRENCY = 64;
const PATIENCE_MS = 180_000;

let stage: BatchStage;
beforeAll(async () => {
  stage = await setBatchStage();
  await stage.latency(20);
});
afterAll(async () => {
  await stage?.stop();
});

const seeds = Array.from({ length: ROUNDS }, (_, round) => firstSeed + round);

describe('5,000 lines among kills', () => {
  it.each(seeds)('has every custom id once, and adds up: seed %i', async (seed) => {
    const random = seeded(seed);
    const ids = Array.from({ length: LINES }, (_, line) => `k${seed}-${line}`);
    const before = (await stage.calls()).length;
    const text = ids.map((id) => `${JSON.stringify(requestLine(id))}\n`).join('');
    const { id } = await stage.create({ input_file_id: await stage.upload(text) });

    // The order is fixed, the moments are drawn; each is a fact, so that a slower machine meets the same ones.
    const answered = async (share: number): Promise<void> => {
      await stage.reaches(
        id,
        ({ request_counts: counts }) => (counts?.completed ?? 0) >= share * LINES,
        PATIENCE_MS,
      );
    };
    const killWorker = async (): Promise<void> => {
      const alive = stage.stack.workers.filter((worker: Child) => worker.exit === null);
      const victim = alive[Math.floor(random() * alive.length)];
      await stage.stack.startWorker();
      await victim?.kill9();
    };
    await answered(random() * 0.2);
    await killWorker();
    await answered(0.2 + random() * 0.2);
    await stage.redis.kill9();
    await stage.redis.restart();
    await answered(0.4 + random() * 0.2);
    await stage.stack.api.kill9();
    await stage.stack.restartApi();
    await answered(0.6 + random() * 0.2);
    await killWorker();
    // Where finalising may have begun.
    await answered(0.97 + random() * 0.03);
    await killWorker();

    const batch = await stage.settled(id, PATIENCE_MS);
    expect(batch.status).toBe('completed');
    const { output, failures } = await stage.judged(batch, ids);
    expect(failures).toEqual([]);
    const calls = (await stage.calls()).slice(before);
    const used = output.reduce(
      (sum, line) => sum + (line.response?.body.usage.total_tokens ?? 0),
      0,
    );
    expect(batch.usage?.total_tokens).toBe(used);
    const again = repeats(calls);
    console.log(`seed ${seed}: ${LINES} lines, ${calls.length} calls, ${again.length} repeated`);
    // Three workers died, each with what it had in flight.
    expect(again.length).toBeLessThanOrEqual(3 * CONCURRENCY);
  });
});

function requestLine(id: string): object {
  return {
    custom_id: id,
    method: 'POST',
    url: '/v1/chat/completions',
    body: {
      model: 'gpt-4o-mini',
      max_tokens: 20,
      messages: [{ role: 'user', content: `Line ${id}` }],
      metadata: { marker: id },
    },
  };
}
