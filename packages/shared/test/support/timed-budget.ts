import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  connectRedis,
  createBudgetStore,
  createKeys,
  createLaneStore,
  whenReady,
  type PaceTurn,
  type RunScript,
} from '../../src/redis/index.ts';
import { readScript } from '../../src/redis/scripts.ts';
import { createLogger } from '../../src/telemetry/index.ts';

const realTime = readFileSync(new URL('../../lua/lib/time.lua', import.meta.url), 'utf8');

/** The time of a key of the test's, which is the last one given, in place of the server's. */
const testTime = realTime.replace(
  /local function now_ms\(\)\n.*?\nend/s,
  "local function now_ms()\n  return tonumber(redis.call('GET', KEYS[#KEYS]))\nend",
);
const text = readScript('pace-lane').replace(realTime, testTime);
if (!text.includes('KEYS[#KEYS]')) throw new Error('lib/time is not where it was');

const START_MS = 1_800_000_000_000;

export type TimedBudget = Awaited<ReturnType<typeof openTimedBudget>>;

/** A lane's budget on a real Redis, whose clock stands until the test moves it. */
export async function openTimedBudget(url: string) {
  const redis = connectRedis(url, 'durable', createLogger('test', 'silent'));
  await whenReady(redis);
  const lane = 'lane_0123456789abcdef';
  let keys = createKeys('unused');
  let clock = '';
  let nowMs = START_MS;
  let budgets: ReturnType<typeof createBudgetStore>;
  let lanes: ReturnType<typeof createLaneStore>;
  const used: string[] = [];
  const renew = (): void => {
    keys = createKeys(`test-${randomBytes(6).toString('hex')}`);
    const of = keys.lane(lane);
    clock = `${of.budget}:test-clock`;
    used.push(of.budget, of.state, clock);
    nowMs = START_MS;
    const run: RunScript = async (_name, names, args) =>
      redis.eval(text, names.length + 1, ...names, clock, ...args.map(String));
    budgets = createBudgetStore({ keys, run });
    lanes = createLaneStore({ redis, run, keys, maxLanes: 1 });
  };
  renew();
  return {
    /** A lane that nobody knows. */
    renew,
    pace: async (turn: PaceTurn) => {
      await redis.set(clock, String(nowMs));
      return budgets.pace(lane, turn);
    },
    read: async () => lanes.budget(lane),
    flush: async () => redis.del(keys.lane(lane).budget),
    cool: async (untilMs: number) =>
      redis.hset(keys.lane(lane).state, 'cooling_until', String(untilMs)),
    now: () => nowMs,
    pass: (ms: number) => {
      nowMs += ms;
    },
    close: async () => {
      for (let at = 0; at < used.length; at += 3) {
        await redis.unlink(...used.slice(at, at + 3));
      }
      redis.disconnect();
    },
  };
}

const numbers = new Map<string, number>();

/** A turn that says nothing and asks for nothing, but for `more`. */
export function turnOf(worker: string, more: Partial<PaceTurn> = {}): PaceTurn {
  const number = (numbers.get(worker) ?? 0) + 1;
  numbers.set(worker, number);
  return {
    worker,
    number,
    in_flight: 0,
    waiting: 0,
    called: 0,
    answered: 0,
    done: { calls: 0, ms: 0, output: 0, overloaded: 0, refused: 0 },
    exceeded: 0,
    random: 0.5,
    limits: {},
    wanted: [],
    first_concurrency: 64,
    ...more,
  };
}
