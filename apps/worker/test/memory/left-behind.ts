/**
 * Run by itself, with `--expose-gc`: prints how many bytes each of many uses of something leaves among V8's old objects, of
 * which minor collections know no better than that they are alive. Next to none, unless something old can still reach
 * what is over.
 */
import { getHeapSpaceStatistics } from 'node:v8';
import { startSimulator } from '@nightshift/local';
import type { ProviderSettings } from '@nightshift/shared/config';
import { connectRedis, defineScript, whenReady, type Claim } from '@nightshift/shared/redis';
import { createLogger } from '@nightshift/shared/telemetry';
import { createInFlight } from '../../src/attempt/in-flight.ts';
import { createSlots } from '../../src/lanes/slots.ts';
import { createProvider } from '../../src/provider/index.ts';

const USES = 20_000;
const AT_ONCE = 64;

type Use = (number: number) => Promise<unknown>;

const text = 'What is the capital of France? '.repeat(60);
/** Kilobytes, as what an attempt holds. */
const much = (): object[] => Array.from({ length: 100 }, (_, number) => ({ number }));
const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
};

const subjects: Readonly<Record<string, () => Promise<Use>>> = {
  'calls in flight': async () => {
    const inFlight = createInFlight();
    return async (number) => {
      const held = much();
      const forget = inFlight.add({
        claim: { jobId: `job_${number}` } as Claim,
        laneId: 'lane_1',
        startedMs: number,
        abort: () => void held.length,
        park: () => undefined,
      });
      await turns(3);
      forget();
    };
  },

  'those who wait for a slot': async () => {
    const take = createSlots(40).until(new AbortController().signal);
    return async () => {
      const held = much();
      const release = await take('bulk');
      await turns(2);
      release();
      return held;
    };
  },

  'calls of a provider': async () => {
    const { url } = await startSimulator({});
    const settings = { name: 'test', baseUrl: url, apiKey: null, headers: {} };
    const provider = createProvider(settings as ProviderSettings, 1_000_000);
    const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: text }] });
    return async (number) => {
      const { signal } = new AbortController();
      const answer = await provider.call({
        endpoint: '/v1/chat/completions',
        body,
        clientRequestId: `job_${number}.1`,
        signal,
      });
      if (answer.kind !== 'answered' || answer.status !== 200) throw new Error(answer.kind);
    };
  },

  'script calls': async () => {
    const redis = connectRedis(process.argv[3] ?? '', 'durable', createLogger('test', 'silent'));
    await whenReady(redis);
    const echo = defineScript(redis, 'return ARGV[1]');
    return async (number) => echo([], [`${number} ${text}`]);
  },
};

function oldBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name: name }) => name === 'old_space' || name === 'large_object_space')
    .reduce((sum, space) => sum + space.space_used_size, 0);
}

const use = await subjects[process.argv[2] ?? '']?.();
if (use === undefined || gc === undefined) throw new Error('a subject, and --expose-gc');
let started = 0;
let ended = 0;
let before = 0;
let most = 0;
const work = async (): Promise<void> => {
  while (started < USES) {
    await use((started += 1));
    ended += 1;
    // In the middle of its work, so that what is under way grows old.
    if (ended === USES / 4) {
      gc?.();
      before = oldBytes();
    }
    if (ended > USES / 4 && ended % 250 === 0) most = Math.max(most, oldBytes());
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, work));
process.stdout.write(String(Math.round((most - before) / (USES * 0.75))));
process.exit(0);
