import type { Api } from './api.ts';
import { askForReplies, changeOnesMind, describeErrands, type Errand } from './errands.ts';
import { bringHome, handIn, type Harvest } from './files.ts';
import { killRedis, killWorker, type Outage, type Takeover } from './harm.ts';
import type { SampleLine } from './sample/sample.ts';
import type { Screen } from './screen.ts';
import type { Stage } from './stage.ts';
import { startWatch, type Standing, type Watch } from './watch.ts';

export interface NightOptions {
  api: Api;
  stage: Stage;
  lines: readonly SampleLine[];
  runId: string;
  /** Calls at once in each worker. */
  concurrency: number;
  screen: Screen;
  signal: AbortSignal;
  /** How long all of it may take. */
  deadlineMs: number;
}

/** What a night came to. */
export interface Night extends Harvest {
  /** The jobs that came in on the way. */
  errands: readonly Errand[];
  /** Null where nothing was killed. */
  takeover: Takeover | null;
  outage: Outage | null;
  /** From its creation until it was seen settled. */
  durationMs: number;
}

/** Hands the file in, disturbs the work on the way unless it costs money, and brings the results home. */
export async function spendNight(options: NightOptions): Promise<Night> {
  const { api, stage, runId, screen } = options;
  const { folder, simulatorUrl } = stage;
  const inputFileId = await handIn({ ...options, folder, isReal: simulatorUrl === null });
  const { id } = await api.createBatch(inputFileId, runId);
  screen.say(`  accepted    ${id}, to be done within 24 h\n`);
  const watch = startWatch({ ...options, batchId: id, simulatorUrl });
  const disturbed = simulatorUrl === null ? undisturbed : await disturb(options, watch);
  await watch.until(({ isSettled }) => isSettled, 'the batch is not settled');
  screen.endShow();
  const durationMs = watch.elapsedMs();
  return { ...(await bringHome(api, folder, id)), ...disturbed, durationMs };
}

type Disturbance = Pick<Night, 'errands' | 'takeover' | 'outage'>;

const undisturbed: Disturbance = { errands: [], takeover: null, outage: null };

/** Urgent jobs in between, then a dead worker, then a dead Redis. */
async function disturb(options: NightOptions, watch: Watch): Promise<Disturbance> {
  const { stage, screen, concurrency } = options;
  await watch.until(isAt(0.12), 'the batch is not under way');
  const errands = await runErrands(options, watch);
  for (const line of describeErrands(errands)) screen.say(`* ${line}`);
  // More calls than one worker can hold: the one that is killed holds some, too.
  const isBusy = ({ lanes }: Standing): boolean =>
    lanes.reduce((sum, lane) => sum + lane.in_flight, 0) > concurrency;
  await watch.until(
    (standing) => isAt(0.3)(standing) && (isBusy(standing) || isAt(0.6)(standing)),
    'the batch is not half-way',
  );
  const cancelled = errands.filter(({ cancelledAtMs }) => cancelledAtMs !== null);
  const except = new Set(cancelled.map(({ key }) => key));
  const takeover = await killWorker(stage, screen, watch, except);
  await watch.until(isAt(0.65), 'the batch does not go on');
  return { errands, takeover, outage: await killRedis(stage, screen) };
}

const isAt =
  (share: number) =>
  ({ done, total }: Standing): boolean =>
    total > 0 && done >= share * total;

async function runErrands(options: NightOptions, watch: Watch): Promise<Errand[]> {
  let isOver = false;
  const errands = Promise.all([askForReplies(options), changeOnesMind(options)]).finally(() => {
    isOver = true;
  });
  // Its rejection is thrown below; until then somebody has to be there for it.
  errands.catch(() => {});
  await watch.until(() => isOver, 'the jobs beside the batch are not settled');
  const [replies, cancelled] = await errands;
  return [...replies, cancelled];
}
