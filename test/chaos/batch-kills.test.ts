import { eventually, type Child } from '@nightshift/local';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setBatchStage, type BatchStage } from '../support/batch-stage.ts';
import { judgeUsage } from '../support/judge-usage.ts';
import { needless, repeats, wasInFlight, type Kill } from '../support/ledger.ts';
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
  // Long enough that each moment comes while lines are left.
  await stage.latency(100);
});
afterAll(async () => {
  await stage?.stop();
});

const seeds = Array.from({ length: ROUNDS }, (_, round) => firstSeed + round);

describe('5,000 lines among kills', () => {
  it.each(seeds)('has every custom id once, and adds up: seed %i', async (seed) => {
    const random = seeded(seed);
    const lastCall = (await stage.calls()).at(-1)?.n ?? 0;
    const ids = Array.from({ length: LINES }, (_, line) => `k${seed}-${line}`);
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
    const kills: Kill[] = [];
    const kill = async (victim: Child | undefined): Promise<void> => {
      if (victim === undefined) throw new Error('there is nobody to kill');
      const fromMs = Date.now();
      await victim.kill9();
      kills.push({ fromMs, toMs: Date.now() });
    };
    const killAnyWorker = async (): Promise<void> => {
      await stage.stack.startWorker();
      const alive = stage.stack.workers.filter((worker) => worker.exit === null);
      await kill(alive[Math.floor(random() * alive.length)]);
    };
    /** The one that takes its place is there before, so that the moment is the drawn one; a batch may be over by then. */
    const killConductorAt = async (share: number): Promise<void> => {
      await stage.stack.startWorker();
      await answered(share);
      const conductor = await eventually(
        async () => stage.conductorOf(id) ?? ((await stage.isOver(id)) ? 'over' : undefined),
        { timeoutMs: PATIENCE_MS, describe: `a conductor of ${id}` },
      );
      if (conductor !== 'over') await kill(conductor);
    };
    await answered(random() * 0.2);
    await killAnyWorker();
    await answered(0.2 + random() * 0.2);
    await stage.redis.kill9();
    await stage.redis.restart();
    await killConductorAt(0.4 + random() * 0.2);
    await answered(0.6 + random() * 0.2);
    await stage.stack.api.kill9();
    await stage.stack.restartApi();
    // Where finalising may have begun.
    await killConductorAt(0.97 + random() * 0.03);

    const batch = await stage.settled(id, PATIENCE_MS);
    expect(batch.status).toBe('completed');
    const judged = await stage.judged(batch, ids);
    expect(judged.failures).toEqual([]);
    const calls = await stage.calls(lastCall);
    judgeUsage(batch, judged, calls);
    const again = repeats(calls);
    const inFlight = kills.map((moment) =>
      Math.min(CONCURRENCY, calls.filter((call) => wasInFlight(call, moment)).length),
    );
    console.log(
      `seed ${seed}: ${LINES} lines, ${calls.length} calls, ${again.length} repeated, in flight at the kills ${inFlight.join(' + ')}`,
    );
    expect(needless(calls, kills)).toEqual([]);
    expect(again.length).toBeLessThanOrEqual(inFlight.reduce((sum, count) => sum + count, 0));
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
