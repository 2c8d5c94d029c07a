import { readdir } from 'node:fs/promises';
import { eventually, findOrStartRedis } from '@nightshift/local';
import { expect, it } from 'vitest';
import { inputFile, names, setBatchStageOn, type BatchStage } from '../support/batch-stage.ts';
import { inParallel } from '../support/client.ts';
import { tellRedis } from '../support/tell-redis.ts';

const LIMIT_BYTES = 32_000_000;
/** Of this maxmemory, at least 8 MB stay free for accepted work. */
const ADMISSION_BYTES = LIMIT_BYTES - 8_000_000;

interface JobSeen {
  id: string;
  status: string;
  waiting_for: { reason: string } | null;
  response: { body: unknown } | null;
}

const usedBytes = async (url: string): Promise<number> =>
  Number(/used_memory:(\d+)/.exec(await tellRedis(url, 'INFO memory'))?.[1]);

function jobsOf({ call, url }: BatchStage) {
  const read = async (id: string): Promise<JobSeen> =>
    (await (await call(`/jobs/${id}`)).json()) as JobSeen;
  return {
    read,
    /** Undefined when it is refused because Redis is full; the answer must say so. */
    submit: async (
      model: string,
      more: object = {},
      characters = 100,
    ): Promise<string | undefined> => {
      const body = { model, messages: [{ role: 'user', content: 'x'.repeat(characters) }] };
      const answer = await call('/jobs', { body, priority: 'bulk', ...more });
      if (answer.status === 202) return ((await answer.json()) as JobSeen).id;
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await answer.json()).toMatchObject({ error: { code: 'redis_full' } });
      return undefined;
    },
    remove: async (id: string) => fetch(`${url}/jobs/${id}`, { method: 'DELETE' }),
    settled: async (id: string, timeoutMs = 120_000): Promise<JobSeen> =>
      eventually(
        async () => {
          const job = await read(id);
          return job.status !== 'queued' && job.status !== 'in_progress' && job;
        },
        { timeoutMs, intervalMs: 100, describe: `${id} to settle` },
      ),
  };
}

async function answerFiles(dataDir: string): Promise<string[]> {
  const all = await readdir(dataDir, { recursive: true });
  return all.filter((name) => /answers-..\/\w+-\d+$/.test(name));
}

it('refuses new work in time, settles all accepted work at the limit, and accepts again', async () => {
  const redis = await findOrStartRedis({ docker: 'testcontainers', owned: true });
  const stage = await setBatchStageOn(redis, {
    workers: 1,
    env: { WORKER_CONCURRENCY: '8' },
    config: { retry: { base_ms: 2000, cap_ms: 4000 } },
  });
  try {
    const { submit, read, remove, settled } = jobsOf(stage);
    await tellRedis(redis.url, `CONFIG SET maxmemory ${LIMIT_BYTES}`);
    const soon = Math.floor(Date.now() / 1000) + 20;
    const accepted: string[] = [];
    const add = async (count: number, model: string, more?: object, characters?: number) => {
      for (let n = 0; n < count; n += 1) {
        const id = await submit(model, more, characters);
        if (id === undefined) return false;
        accepted.push(id);
      }
      return true;
    };

    // Work in every state, with answers larger than all of Redis.
    const lines = names('line', 300);
    const batch = await stage.create({ input_file_id: await stage.upload(inputFile(lines)) });
    const large = names('large', 30);
    const largeBatch = await stage.create({
      input_file_id: await stage.upload(inputFile(large, 'sim-huge-1')),
    });
    // Longer than a window, so that lines are still fed while Redis is full.
    const late = names('late', 1500);
    const lateBatch = await stage.create({
      input_file_id: await stage.upload(inputFile(late)),
      run_at: soon,
    } as Parameters<typeof stage.create>[0]);
    expect(await add(10, 'sim-500-x2')).toBe(true);
    expect(await add(40, 'sim-huge-1', { run_at: soon })).toBe(true);
    expect(await add(40, 'sim-slow-2000')).toBe(true);
    const unwanted = await submit('sim-ok', { run_at: soon + 3600 }, 10_000);
    await eventually(async () => !(await add(1, 'sim-ok', { run_at: soon }, 50_000)), {
      timeoutMs: 60_000,
      intervalMs: 0,
    });
    const atRefusal = await usedBytes(redis.url);
    console.log(
      `refused at ${atRefusal} bytes of ${LIMIT_BYTES}, ${accepted.length} jobs accepted`,
    );
    expect(atRefusal).toBeGreaterThan(ADMISSION_BYTES - 2_000_000);
    expect(atRefusal).toBeLessThan(ADMISSION_BYTES + 3_000_000);
    // Another client takes the reserve and more.
    await tellRedis(redis.url, `SETRANGE ballast 12000000 x`);
    expect(await usedBytes(redis.url)).toBeGreaterThan(LIMIT_BYTES);
    const upload = await stage.client.files
      .create({ file: new File(['{}'], 'a.jsonl'), purpose: 'batch' }, { maxRetries: 0 })
      .catch((error: unknown) => error);
    expect(upload).toMatchObject({ status: 503, code: 'redis_full' });
    await eventually(async () => {
      const seen = await Promise.all(accepted.map(async (id) => read(id)));
      return seen.some(({ waiting_for: waiting }) => waiting?.reason === 'redis_full');
    });
    expect(await (await stage.call(`/jobs/${unwanted}/cancel`, {})).json()).toMatchObject({
      status: 'cancelled',
    });

    // No job stays queued, although Redis stays above its limit.
    await inParallel(accepted, 16, async (id) => {
      expect((await settled(id)).status).toBe('completed');
    });
    expect(await usedBytes(redis.url)).toBeGreaterThan(LIMIT_BYTES);
    await stage.judged(await stage.settled(batch.id, 120_000), lines);
    await stage.judged(await stage.settled(lateBatch.id, 120_000), late);
    const judged = await stage.settled(largeBatch.id, 120_000);
    expect(judged.request_counts).toEqual({ total: 30, completed: 30, failed: 0 });
    const complaints = stage.stack.workers.flatMap(({ lines: said }) =>
      said.filter((line) =>
        /"level":"(?:warn|error)".*(?:failed|held_up|not_read|not_paced|broke|OOM)/.test(line),
      ),
    );
    expect(complaints).toEqual([]);

    // Large answers can be read, and a page stays within its size.
    const largest = await read(accepted[10] ?? '');
    expect(JSON.stringify(largest.response?.body).length).toBeGreaterThan(1_000_000);
    const page = await (await stage.call('/jobs?limit=100')).text();
    expect(page.length).toBeLessThan(20_000_000);
    expect(await answerFiles(stage.stack.dataDir)).not.toEqual([]);

    // Settled jobs can be deleted at the limit, which frees memory.
    await inParallel([...accepted, unwanted ?? ''], 16, async (id) => {
      const answer = await remove(id);
      expect(await answer.json()).toEqual({ id, object: 'job', deleted: true });
      expect((await stage.call(`/jobs/${id}`)).status).toBe(404);
    });
    await tellRedis(redis.url, 'DEL ballast');
    await eventually(async () => add(1, 'sim-ok'), { timeoutMs: 30_000 });
    await eventually(async () => (await answerFiles(stage.stack.dataDir)).length === 0, {
      timeoutMs: 30_000,
    });
  } finally {
    await stage.stop();
  }
});
