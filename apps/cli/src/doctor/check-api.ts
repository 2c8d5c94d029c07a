import type { LaneView } from '@nightshift/shared/http';
import { laneListSchema } from '@nightshift/shared/http';
import {
  batchPageSchema,
  workerListSchema,
  type ListedBatch,
  type WorkerView,
} from '../bulk/operator-views.ts';
import { saidIn, type ApiAnswer, type ReadApi } from './api-reader.ts';
import { note, ok, wrong, type Check } from './check.ts';

/** What the API returned; null for what it did not. */
export interface ApiLook {
  live: ApiAnswer;
  ready: ApiAnswer | null;
  /** `old`: this API has no such route. */
  workers: WorkerView[] | 'old' | null;
  lanes: LaneView[] | null;
  batches: { data: ListedBatch[]; isComplete: boolean } | null;
  /** Why the last three are unknown. */
  refusal: string | null;
}

const MOST_PAGES = 10;

export async function lookAtApi(read: ReadApi): Promise<ApiLook> {
  const live = await read('/livez');
  const nothing = { live, ready: null, workers: null, lanes: null, batches: null, refusal: null };
  if (live.kind === 'away') return nothing;
  const [ready, workers, lanes, first] = await Promise.all(
    ['/readyz', '/v1/workers', '/v1/lanes', '/v1/batches?limit=100'].map(async (path) =>
      read(path),
    ),
  );
  const answers = [workers, lanes, first].filter((answer) => answer?.kind === 'answered');
  const refused = answers.find(({ status }) => status !== 200 && status !== 404);
  return {
    live,
    ready: ready ?? null,
    workers: isStatus(workers, 404)
      ? 'old'
      : (dataOf(workers, (body) => workerListSchema.parse(body).data) ?? null),
    lanes: dataOf(lanes, (body) => laneListSchema.parse(body).data),
    batches: await allBatches(read, first),
    refusal: refused === undefined ? null : saidIn(refused),
  };
}

async function allBatches(
  read: ReadApi,
  first: ApiAnswer | undefined,
): Promise<ApiLook['batches']> {
  const data: ListedBatch[] = [];
  let answer = first;
  for (let pages = 1; ; pages += 1) {
    const page = dataOf(answer, (body) => batchPageSchema.parse(body));
    if (page === null) return pages === 1 ? null : { data, isComplete: false };
    data.push(...page.data);
    if (!page.has_more || page.last_id === null) return { data, isComplete: true };
    if (pages === MOST_PAGES) return { data, isComplete: false };
    answer = await read(`/v1/batches?limit=100&after=${encodeURIComponent(page.last_id)}`);
  }
}

const isStatus = (answer: ApiAnswer | undefined, status: number): boolean =>
  answer?.kind === 'answered' && answer.status === status;

/** The parsed body of a 200; null for any other answer, and for a body that this command cannot read. */
function dataOf<Value>(
  answer: ApiAnswer | undefined,
  parse: (body: unknown) => Value,
): Value | null {
  if (answer?.kind !== 'answered' || answer.status !== 200) return null;
  try {
    return parse(answer.body);
  } catch {
    return null;
  }
}

export const isApiReady = ({ ready }: ApiLook): boolean => isStatus(ready ?? undefined, 200);

export function judgeApi(url: string, { live, ready, refusal }: ApiLook): Check {
  const name = 'api';
  if (live.kind === 'away') {
    const remedy = 'Start it (nightshift api), or set its address with --url or NIGHTSHIFT_URL.';
    return wrong('api_away', name, `The API at ${url} is away: ${live.reason}`, remedy);
  }
  if (live.status === 401 || live.status === 403 || /^40[13]\b/.test(refusal ?? '')) {
    const said = live.status === 200 ? (refusal ?? '') : saidIn(live);
    const remedy = 'Set NIGHTSHIFT_API_KEY to a key of this server.';
    return wrong('api_key', name, `The API at ${url} refuses this command: ${said}`, remedy);
  }
  if (live.status !== 200) {
    const remedy = 'Set the address of the API with --url or NIGHTSHIFT_URL.';
    return wrong(
      'api_away',
      name,
      `The server at ${url} is not Nightshift: ${saidIn(live)}`,
      remedy,
    );
  }
  if (ready?.kind === 'answered' && ready.status !== 200) {
    const message = `The API at ${url} cannot reach Redis: ${saidIn(ready)}`;
    return wrong('redis_away', name, message, 'Check its REDIS_URL, and that Redis is running.');
  }
  if (refusal !== null) return note(name, `${url} answers, but refuses some calls: ${refusal}`);
  return ok(name, `${url} answers`);
}
