import { takenOver } from './calls.ts';
import { readLedger, type Client, type JobView } from './client.ts';
import type { SampleJob } from './kinds.ts';
import { settledCount, type Screen, type Standing } from './progress.ts';
import type { Stage } from './stage.ts';
import { LOOK_EVERY_MS, startWatch, type Watch } from './watch.ts';

export interface RunOptions {
  client: Client;
  stage: Stage;
  sample: readonly SampleJob[];
  runId: string;
  screen: Screen;
  signal: AbortSignal;
  /** Calls at once in each worker. */
  concurrency: number;
  /** How long all of it may take. */
  deadlineMs: number;
}

/** What the death of a worker did. */
interface Takeover {
  jobs: number;
  /** Until the last of them was called again. */
  tookMs: number;
}

export interface RunResult {
  /** By key; what was submitted and acknowledged. */
  accepted: ReadonlyMap<string, { id: string; submittedAtMs: number }>;
  /** As the API lists them at the end. */
  jobs: readonly JobView[];
  submittingMs: number;
  /** From the first submission until the last job was seen settled. */
  durationMs: number;
  takeover: Takeover | null;
}

const SUBMIT_AT_ONCE = 8;
/** The contract says 10 s; a slow machine gets some more before the demo calls it broken. */
const TAKEOVER_MS = 15_000;

/** Submits the sample, shows how it goes, kills a worker on the way, and waits until every job is settled. */
export async function runSample(options: RunOptions): Promise<RunResult> {
  const { client, stage, sample, runId, screen, signal, concurrency, deadlineMs } = options;
  const total = sample.length;
  const accepted = new Map<string, { id: string; submittedAtMs: number }>();
  const submit = async (batch: readonly SampleJob[]): Promise<void> => {
    const rest = batch.values();
    const oneAfterAnother = async (): Promise<void> => {
      for (const { key, request } of rest) {
        signal.throwIfAborted();
        const submittedAtMs = Date.now();
        const { id } = await client.submit(request, `${runId}-${key}`);
        accepted.set(key, { id, submittedAtMs });
      }
    };
    await Promise.all(Array.from({ length: SUBMIT_AT_ONCE }, oneAfterAnother));
  };
  const submitted = (): number => accepted.size;
  const watch = startWatch({ client, runId, total, submitted, screen, signal, deadlineMs });
  const share = ({ byStatus }: Standing): number => settledCount(byStatus) / total;

  const bulk = sample.filter(({ request }) => request.priority === 'bulk');
  const interactive = sample.filter(({ request }) => request.priority === 'interactive');
  await submit(bulk);
  const submittingMs = watch.elapsedMs();
  let takeover: Takeover | null = null;
  if (stage.simulatorUrl !== null) {
    await watch.until((standing) => share(standing) >= 0.15, 'the run is not under way');
    await submit(interactive);
    screen.say(`  ${interactive.length} interactive jobs were submitted while bulk jobs wait`);
    // More in progress than one worker can hold: the one that is killed holds some, too.
    const isBusy = ({ byStatus }: Standing): boolean => (byStatus.in_progress ?? 0) > concurrency;
    await watch.until(
      (standing) => share(standing) >= (isBusy(standing) ? 0.3 : 0.8),
      'the run is not half-way',
    );
    takeover = await killOne(options, watch);
  } else {
    await submit(interactive);
  }
  await watch.until((standing) => share(standing) === 1, 'not every job is settled');
  screen.endProgress();
  return { accepted, jobs: watch.jobs, submittingMs, durationMs: watch.elapsedMs(), takeover };
}

/** The promise shown live: kill -9, and another worker runs what it held. */
async function killOne({ stage, sample, screen }: RunOptions, watch: Watch): Promise<Takeover> {
  const [victim] = stage.workers;
  const { simulatorUrl } = stage;
  if (victim === undefined || simulatorUrl === null) return { jobs: 0, tookMs: 0 };
  // One that never gets an answer is cut short by its expiry as well.
  const except = new Set(
    sample.filter(({ expect }) => expect.status === 'expired').map(({ key }) => key),
  );
  const diedAtMs = Date.now();
  await stage.killWorker(victim);
  screen.say(`  worker-1 (process ${victim.pid}) was killed with kill -9; another one is started`);
  const replaced = stage.startWorker();
  replaced.catch(() => {});
  let held: (number | null)[] = [];
  await watch.until(
    async () => {
      // The provider needs a moment to notice that its caller is gone.
      held = [...takenOver(await readLedger(simulatorUrl), diedAtMs, except).values()];
      return Date.now() - diedAtMs > 2 * LOOK_EVERY_MS && !held.includes(null);
    },
    'the jobs of the killed worker were not taken over',
    TAKEOVER_MS,
  );
  const tookMs = Math.max(0, ...held.map(Number));
  const jobs = held.length;
  screen.say(
    jobs === 0
      ? '  it held no job at that moment'
      : `  its ${jobs} ${jobs === 1 ? 'job was' : 'jobs were'} taken over in ${(tookMs / 1000).toFixed(1)} s`,
  );
  const worker = await replaced;
  screen.say(`  worker-3 (process ${worker.pid}) took its place`);
  return { jobs, tookMs };
}
