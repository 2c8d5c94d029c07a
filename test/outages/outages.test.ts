import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '@nightshift/local';
import { describe, it } from 'vitest';
import { setStage, type Stage } from '../support/stage.ts';

/** What these tests wait for is time itself: an outage of so many seconds. */
const lasts = async (seconds: number): Promise<void> => sleep(seconds * 1000);

async function onStage(
  options: { workers: number; concurrency: number },
  play: (stage: Stage) => Promise<void>,
): Promise<void> {
  const stage = await setStage(options);
  try {
    await play(stage);
  } finally {
    await stage.stop();
  }
}

// Each has a Redis and processes of its own and mostly waits, so they run side by side.
describe.concurrent('outages', () => {
  it('repeats no call when Redis is away for 20 s with calls in flight', async ({ expect }) => {
    await onStage(
      { workers: 2, concurrency: 10 },
      async ({ redis, stack, submit, calls, latency, settleAndJudge, ledger }) => {
        // Longer than the outage for some, shorter for others: answers that come meanwhile are kept.
        await latency(8000);
        await submit('short', 10);
        await eventually(async () => (await calls()).length === 10);
        await latency(30_000);
        await submit('long', 10);
        await eventually(async () => (await calls()).length === 20);
        await latency(100);
        await redis.kill9();
        const refused = await eventually(async () => {
          const answer = await fetch(`${stack.apiUrl}/v1/jobs`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: '{"body":{"model":"gpt-4o-mini","messages":[]}}',
          });
          return answer.status === 503 ? answer : undefined;
        });
        expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(await refused.json()).toMatchObject({
          error: { code: 'redis_unavailable', type: 'server_error' },
        });
        await lasts(20);
        await redis.restart();
        await submit('after', 20);
        const again = await settleAndJudge(60_000);
        expect(ledger.violations).toEqual([]);
        expect(again).toEqual([]);
        expect(
          stack.workers.every((worker) => worker.exit === null) && stack.api.exit === null,
        ).toBe(true);
      },
    );
  });

  it('repeats no call when Redis is frozen for 10 s', async ({ expect }) => {
    await onStage(
      { workers: 2, concurrency: 10 },
      async ({ redis, submit, calls, latency, settleAndJudge, ledger }) => {
        await latency(4000);
        await submit('frozen', 40);
        await eventually(async () => (await calls()).length >= 20);
        await redis.freeze();
        await lasts(10);
        await redis.thaw();
        const again = await settleAndJudge(60_000);
        expect(ledger.violations).toEqual([]);
        expect(again).toEqual([]);
      },
    );
  });

  it('resumes by itself after Redis was away for 120 s, idle', async ({ expect }) => {
    await onStage(
      { workers: 1, concurrency: 10 },
      async ({ redis, stack, submit, settleAndJudge, ledger }) => {
        await submit('before', 5);
        await settleAndJudge(30_000);
        await redis.kill9();
        await lasts(120);
        await redis.restart();
        await submit('after', 5);
        await settleAndJudge(30_000);
        expect(ledger.violations).toEqual([]);
        expect(stack.workers[0]?.exit).toBeNull();
      },
    );
  });

  it('takes the jobs of a frozen worker over, and what it does when it wakes changes nothing', async ({
    expect,
  }) => {
    await onStage(
      { workers: 2, concurrency: 5 },
      async ({ stack, submit, calls, latency, settleAndJudge, ledger }) => {
        await latency(3000);
        await submit('held', 10);
        await eventually(async () => (await calls()).length === 10);
        const [first] = stack.workers;
        first?.signal('SIGSTOP');
        // Three locks: the other worker has long taken over and settled.
        await lasts(80);
        const again = await settleAndJudge(60_000);
        first?.signal('SIGCONT');
        await lasts(5);
        await settleAndJudge(30_000);
        expect(ledger.violations).toEqual([]);
        expect(again).toHaveLength(5);
      },
    );
  });

  it('runs the jobs of a dead machine again within 30 s', async ({ expect }) => {
    await onStage(
      { workers: 2, concurrency: 5 },
      async ({ stack, submit, calls, latency, settleAndJudge, ledger }) => {
        await latency(5000);
        await submit('machine', 10);
        await eventually(async () => (await calls()).length === 10);
        const [first] = stack.workers;
        // Its rescuer dies with it, as on a machine that loses power.
        const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(first?.pid)], {
          encoding: 'utf8',
        });
        for (const pid of children.trim().split(/\s+/)) process.kill(Number(pid), 'SIGKILL');
        await first?.kill9();
        const killedAt = Date.now();
        await latency(0);
        const again = await settleAndJudge(60_000);
        expect(ledger.violations).toEqual([]);
        // It held half of the calls, and each of them is made again.
        expect(again).toHaveLength(5);
        const latest = Math.max(0, ...again.map(({ again: call }) => call.at_ms - killedAt));
        console.log(`a dead machine's jobs were called again after at most ${latest} ms`);
        expect(latest).toBeLessThan(30_000);
      },
    );
  });
});
