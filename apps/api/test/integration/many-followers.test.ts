import { Agent, get } from 'node:http';
import { eventually } from '@nightshift/local';
import { expect, inject, it } from 'vitest';
import { createTestApi } from '../support/api.ts';
import { parseStream } from '../support/sse.ts';

const POLLS = 2000;
const STREAMS = 50;
const JOBS = 20;

it('2,000 long-polls and 50 streams share one subscription, which goes with the last', async () => {
  const api = await createTestApi(inject('redisUrl'));
  const agent = new Agent({ keepAlive: false, maxSockets: Infinity });
  const text = async (url: string): Promise<string> =>
    new Promise((resolve, reject) => {
      get(url, { agent }, (message) => {
        let body = '';
        message.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        message.on('end', () => {
          resolve(body);
        });
        message.on('error', reject);
      }).on('error', reject);
    });
  const subscriptions = async (): Promise<number> => {
    const [, count] = (await api.redis.pubsub('NUMSUB', api.keys.channels.events)) as [
      string,
      number,
    ];
    return count;
  };
  try {
    const url = await api.listen();
    const ids: string[] = [];
    for (let n = 0; n < JOBS; n += 1) ids.push((await api.submit()).id);
    expect(await subscriptions()).toBe(0);
    const polls = Promise.all(
      Array.from({ length: POLLS }, async (_, n) =>
        text(`${url}/v1/jobs/${ids[n % JOBS]}?wait=60`),
      ),
    );
    const streams = Promise.all(
      Array.from({ length: STREAMS }, async (_, n) =>
        text(`${url}/v1/jobs/${ids[n % JOBS]}/events`),
      ),
    );
    await eventually(() => api.eventHub.followers() === POLLS + STREAMS, { timeoutMs: 30_000 });
    expect(await subscriptions()).toBe(1);
    const started = performance.now();
    await Promise.all(ids.map(async (id) => api.complete(id)));
    const jobs = (await polls).map((body) => JSON.parse(body) as { id: string; status: string });
    const settledInMs = performance.now() - started;
    expect(jobs.every(({ id, status }, n) => id === ids[n % JOBS] && status === 'completed')).toBe(
      true,
    );
    for (const stream of await streams) {
      expect(parseStream(stream).events.at(-1)?.event).toBe('job.completed');
    }
    expect(settledInMs).toBeLessThan(15_000);
    await eventually(async () => (await subscriptions()) === 0);
  } finally {
    agent.destroy();
    await api.close();
  }
});
