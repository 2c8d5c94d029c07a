import { eventually, type Child } from '@nightshift/local';
import { readMetric, type LogStory } from './night-checks.ts';
import type { Night, RunningBatch } from './night.ts';

/** Metric names that dashboards and alerts rely on. */
export const metricNames = {
  laneState: 'nightshift_lane_state',
  waiting: 'nightshift_waiting',
  workers: 'nightshift_workers',
  redisUp: 'nightshift_redis_up',
} as const;

interface Sign {
  /** State of the affected lane; null if no lane is affected. */
  laneState: string | null;
  /** In the first line of `doctor`. */
  doctor: RegExp;
  /** The log line's event, followed by its reason. */
  log: LogStory;
}

/** By wait reason. */
export const signs = {
  provider_unreachable: {
    laneState: 'unreachable',
    doctor: /unreachable|answers 50\d/i,
    log: {
      begins: /^lane\.held_up provider_unreachable$/,
      ends: /^lane\.resumed provider_unreachable$/,
    },
  },
  lane_paused: {
    laneState: 'paused',
    doctor: /401.*Incorrect API key/i,
    log: { begins: /^lane\.held_up lane_paused$/, ends: /^lane\.resumed lane_paused$/ },
  },
  no_worker: {
    laneState: null,
    doctor: /no worker/i,
    log: { begins: /^workers\.none_alive/, ends: /^workers\.alive_again/ },
  },
  storage: {
    laneState: null,
    doctor: /full|no space|ENOSPC/i,
    log: { begins: /^batch\.held_up storage$/, ends: /^batch\.resumed/ },
  },
  redis_full: {
    laneState: null,
    doctor: /redis.*(?:full|maxmemory)/i,
    log: { begins: /^redis\.nearly_full/, ends: /^redis\.has_room/ },
  },
} as const satisfies Record<string, Sign>;

/** No `waiting_for` can be read while Redis is away. */
export const redisAway: Sign = {
  laneState: null,
  doctor: /redis/i,
  log: { begins: /^redis\.away/, ends: /^redis\.back/ },
};

export interface Expected {
  reason: keyof typeof signs;
  batch: RunningBatch;
  /** Waits for the same reason. */
  jobId?: string;
  /** The model of the affected lane. */
  model?: string;
  /** Patterns that the message of `waiting_for` must match. */
  says: readonly RegExp[];
  /** Whether a next try must be given. */
  retried: boolean;
  workersAlive: number;
  withinMs: number;
}

const SOON_S = 75;

/** The places that do not report why work is waiting, one sentence each. Empty if all do. */
export async function missingSigns(night: Night, expected: Expected): Promise<string[]> {
  const { reason, batch, jobId, model, says, retried, workersAlive, withinMs } = expected;
  const sign: Sign = signs[reason];
  const watchedFrom = batch.watch.lines.length;
  const seen = async (place: string, look: () => Promise<unknown>): Promise<string[]> =>
    eventually(look, { timeoutMs: withinMs, intervalMs: 500, describe: place }).then(
      () => [],
      (error: Error) => [error.message],
    );
  const explains = (waiting: { reason: string; message: string; until: number | null } | null) => {
    if (waiting?.reason !== reason) throw new Error(`it says ${JSON.stringify(waiting)}`);
    if (!says.every((words) => words.test(waiting.message))) {
      throw new Error(`the message is "${waiting.message}"`);
    }
    const leftS = (waiting.until ?? Infinity) - Date.now() / 1000;
    if (retried && leftS > SOON_S) throw new Error(`the next try is at ${waiting.until}`);
    return true;
  };
  const places: [string, () => Promise<unknown>][] = [
    ['the batch', async () => explains((await night.batch(batch.id)).waiting_for)],
    ['GET /v1/workers', async () => await hasWorkers(night, workersAlive)],
    ['/metrics', async () => readMetric(await night.metrics(), metricNames.waiting, { reason })],
    ['watch', async () => saysSo(batch.watch, watchedFrom, reason)],
  ];
  if (jobId !== undefined) {
    places.push(['the job', async () => explains((await night.job(jobId)).waiting_for)]);
  }
  if (sign.laneState !== null && model !== undefined) {
    const state = sign.laneState;
    places.push(
      ['GET /v1/lanes', async () => await isLane(night, model, state)],
      [
        "the lane's gauge",
        async () => readMetric(await night.metrics(), metricNames.laneState, { model, state }),
      ],
    );
  }
  const missing = await Promise.all(places.map(async ([place, look]) => seen(place, look)));
  return [...missing.flat(), ...(await doctorSays(night, sign.doctor))];
}

async function isLane(night: Night, model: string, state: string): Promise<boolean> {
  const lane = (await night.list('lanes')).find((one) => one['model'] === model);
  if (lane?.['state'] !== state) throw new Error(`the lane is ${JSON.stringify(lane)}`);
  return typeof lane['message'] === 'string' && lane['message'] !== '';
}

export async function hasWorkers(night: Night, alive: number): Promise<boolean> {
  const workers = await night.list('workers');
  const found = workers.filter(({ state }) => state === 'alive').length;
  if (found !== alive) throw new Error(`${found} of ${workers.length} workers are alive`);
  return true;
}

/** The record must name the reason and estimate no end. */
function saysSo(watch: Child, from: number, reason: string): boolean {
  const record = watch.lines.slice(from).findLast((line) => line.startsWith('{')) ?? '{}';
  if (!record.includes(`"${reason}"`)) throw new Error(`it says ${record}`);
  const { estimated_end_at: end } = JSON.parse(record) as { estimated_end_at: number | null };
  if (end !== null) throw new Error(`it estimates the end: ${end}`);
  return true;
}

const DOCTOR_MS = 60_000;

/** What is wrong with the first line of `nightshift doctor`, which names the cause. */
export async function doctorSays(night: Night, cause: RegExp): Promise<string[]> {
  const doctor = await night.command('doctor');
  const late = AbortSignal.timeout(DOCTOR_MS);
  const killed = new Promise<void>((resolve) => {
    late.addEventListener('abort', () => void doctor.kill9().then(() => resolve()));
  });
  await Promise.race([doctor.exited, killed]);
  const [first = ''] = doctor.lines;
  const faults: string[] = [];
  if (late.aborted) faults.push(`doctor took longer than ${DOCTOR_MS} ms`);
  if (!cause.test(first)) faults.push(`doctor begins with "${first}", which does not say ${cause}`);
  if (doctor.exit?.code === 0) faults.push('doctor exited with code 0 although work is waiting');
  return faults;
}
