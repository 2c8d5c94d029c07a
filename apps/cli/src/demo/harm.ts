import { takenOver, type Death } from './calls.ts';
import { readLedger } from './ledger.ts';
import type { Screen } from './screen.ts';
import type { Stage } from './stage.ts';
import { LOOK_EVERY_MS, type Watch } from './watch.ts';

/** What the death of a worker did. */
export interface Takeover {
  death: Death;
  /** Whose calls were cut short. */
  requests: number;
  /** Until the last of them was called again. */
  tookMs: number;
}

/** The contract says 10 s; a slow machine gets some more before the demo calls it broken. */
const TAKEOVER_MS = 15_000;

/** The promise shown live: kill -9, and another worker makes the calls that it held. */
export async function killWorker(
  stage: Stage,
  screen: Screen,
  watch: Watch,
  /** Requests that were cut short for another reason. */
  except: ReadonlySet<string>,
): Promise<Takeover | null> {
  const [victim] = stage.workers;
  const { simulatorUrl } = stage;
  if (victim === undefined || simulatorUrl === null) return null;
  const death = { atMs: Date.now() };
  await stage.killWorker(victim);
  screen.say(`* worker-1 (process ${victim.pid}) was killed with kill -9; another one is started`);
  const replaced = stage.startWorker();
  replaced.catch(() => {});
  let held: (number | null)[] = [];
  await watch.until(
    async () => {
      // The provider needs a moment to notice that its caller is gone.
      held = [...takenOver(await readLedger(simulatorUrl), death, except).values()];
      return Date.now() - death.atMs > 2 * LOOK_EVERY_MS && !held.includes(null);
    },
    'the lines of the killed worker were not taken over',
    TAKEOVER_MS,
  );
  const takeover = { death, requests: held.length, tookMs: Math.max(0, ...held.map(Number)) };
  screen.say(`* ${describeTakeover(takeover)}`);
  await replaced;
  return takeover;
}

export function describeTakeover({ requests, tookMs }: Takeover): string {
  if (requests === 0) return 'it held no call at that moment';
  const calls = requests === 1 ? '1 call was' : `${requests} calls were`;
  return `its ${calls} made again by the others within ${(tookMs / 1000).toFixed(1)} s`;
}

/** How long Redis was away. */
export interface Outage {
  tookMs: number;
}

/** The other promise: every write is on disk before it is acknowledged, so a killed Redis forgets nothing. */
export async function killRedis({ redis }: Stage, screen: Screen): Promise<Outage | null> {
  // One of somebody else's is left alone.
  if (redis.pid === undefined) return null;
  const startedAtMs = performance.now();
  await redis.kill9();
  screen.say('* Redis was killed with kill -9; it is started again on the data that it left');
  await redis.restart();
  return { tookMs: performance.now() - startedAtMs };
}
