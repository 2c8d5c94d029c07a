import { createHash } from 'node:crypto';
import {
  BUNDLE_MOMENT_MS,
  MOST_IN_BUNDLE,
  type Job,
  type JobEvent,
  type JobStatus,
  type NewJob,
  type QueueEntry,
  type TokenCounts,
} from '../job/index.ts';
import type { RedisConnection } from './connect.ts';
import { gatherMoves } from './gather-moves.ts';
import type { Keys } from './keys.ts';
import { answerBlobOf, jobFields, parseEvents, parseJob } from './job-record.ts';
import type { RunScript } from './scripts.ts';

/** A delivery that nobody has confirmed is put into its queue again after this long. */
const OUTBOX_GRACE_MS = 5000;
const IDEMPOTENCY_MS = 24 * 3600 * 1000;
/** Records looked at in one script while a filter looks for its matches: about a millisecond of Redis' time. */
const SCAN_STRETCH = 500;
/** A page ends early at this much of answers: a hundred of the largest would be gigabytes. */
const PAGE_BYTES = 16_000_000;

export interface Idempotency {
  key: string;
  /** Hash of the content; another one under the same key is a conflict. */
  contentHash: string;
}

export type AcceptResult =
  | {
      kind: 'accepted';
      id: string;
      dueAtMs: number;
      nowMs: number;
      /** To be put into its queue now. Null when another job brings this one, it is not due, or the outbox delivers it. */
      entry: QueueEntry | null;
    }
  | { kind: 'replayed'; id: string }
  | { kind: 'conflict'; id: string };

export type RemoveJobResult =
  | { kind: 'missing' }
  | { kind: 'not_settled'; status: JobStatus }
  | { kind: 'deleted'; blob: string | null };

export interface JobFilter {
  status?: JobStatus;
  model?: string;
  createdAfterMs?: number;
  metadata: Readonly<Record<string, string>>;
}

export type JobPage = { kind: 'page'; jobs: Job[]; hasMore: boolean } | { kind: 'unknown_cursor' };

export interface JobStoreOptions {
  redis: RedisConnection;
  run: RunScript;
  keys: Keys;
  retentionMs: number;
  /** Reads an answer from the blob store; null if it is gone. If omitted, such answers are shown as null. */
  readAnswer?: (blob: string) => Promise<string | null>;
}

export type JobStore = ReturnType<typeof createJobStore>;

/** What callers do with jobs: hand in, read, list, cancel. The worker's moves are in attempt-store.ts. */
export function createJobStore({
  redis,
  run,
  keys,
  retentionMs,
  readAnswer = async () => null,
}: JobStoreOptions) {
  /** Known for a while only: after a flush of Redis the sweeps must find the tenant again. */
  const tenants = new Map<string, number>();
  const isKnown = (tenant: string): boolean =>
    (tenants.get(tenant) ?? -Infinity) > performance.now() - 5000;
  const remember = async (tenant: string): Promise<void> => {
    const now = performance.now();
    await redis.sadd(keys.tenants, tenant);
    tenants.set(tenant, now);
  };

  const makeAccept = gatherMoves<[AcceptResult['kind'], string | number, number, ...string[]]>({
    name: 'accept-job',
    call: async (scriptKeys, args) => run('accept-job', scriptKeys, args as (string | number)[]),
    shared: (tenant) => {
      const of = keys.tenant(tenant);
      return {
        keys: [of.counts, of.jobs, of.outbox, of.expiring, of.paces],
        args: [tenant, OUTBOX_GRACE_MS, IDEMPOTENCY_MS, BUNDLE_MOMENT_MS, MOST_IN_BUNDLE],
      };
    },
  });

  const jobOf = async (values: readonly (string | null)[]): Promise<Job | null> => {
    const job = parseJob(values);
    const blob = answerBlobOf(values);
    if (job?.response == null || blob === null) return job;
    return { ...job, response: { ...job.response, body: (await readAnswer(blob)) ?? 'null' } };
  };

  /** Those of these jobs that are still there: retention may have ended since the index was read. */
  const readMany = async (tenant: string, ids: readonly string[]): Promise<Job[]> => {
    const of = keys.tenant(tenant);
    const jobs = await Promise.all(
      ids.map(async (id) => jobOf(await redis.hmget(of.job(id), ...jobFields))),
    );
    return jobs.filter((job) => job !== null);
  };

  return {
    /**
     * Accepts a job in one script. Once this resolves with `accepted` the job is a promise: the outbox delivers it
     * even if this process dies on the next instruction. Jobs that are accepted in one call while results of their
     * lane come fast share an entry of its queue, which the first of them is told.
     */
    accept: async (
      id: string,
      job: NewJob,
      idempotency: Idempotency | null,
    ): Promise<AcceptResult> => {
      if (!isKnown(job.tenant)) await remember(job.tenant);
      const of = keys.tenant(job.tenant);
      const fields = [
        ...['lane', job.laneId, 'priority', job.priority],
        ...(job.tokens === null ? [] : ['tokens', JSON.stringify(job.tokens)]),
        ...['endpoint', job.endpoint, 'model', job.model],
        ...['max_attempts', job.maxAttempts, 'body', job.body],
        ...(job.runAtMs === null ? [] : ['run_at', job.runAtMs]),
        ...(Object.keys(job.metadata).length === 0
          ? []
          : ['metadata', JSON.stringify(job.metadata)]),
        ...(job.retryOf === null ? [] : ['retry_of', job.retryOf]),
      ];
      const [kind, second, due, ...travelling] = await makeAccept(job.tenant, {
        keys:
          idempotency === null
            ? [of.job(id)]
            : [of.job(id), of.idempotency(sha256(idempotency.key))],
        args: [
          fields.length + 4,
          id,
          job.runAtMs ?? '',
          job.expiresAfterMs ?? '',
          idempotency?.contentHash ?? '',
          ...fields,
        ],
        length: job.body.length,
      });
      if (kind !== 'accepted') return { kind, id: String(second) };
      return { kind, id, nowMs: Number(second), dueAtMs: due, entry: entryOf(travelling) };
    },

    get: async (tenant: string, id: string): Promise<Job | null> =>
      jobOf(await redis.hmget(keys.tenant(tenant).job(id), ...jobFields)),

    /** A job with its events after `afterSeq`. */
    getWithEvents: async (
      tenant: string,
      id: string,
      afterSeq: number,
    ): Promise<{ job: Job; events: JobEvent[] } | null> => {
      const values = await redis.hmget(keys.tenant(tenant).job(id), ...jobFields, 'events');
      const job = await jobOf(values);
      if (job === null) return null;
      return {
        job,
        events: parseEvents(values.at(-1) ?? null).filter((event) => event.seq > afterSeq),
      };
    },

    /** The request body of a job as it came, for a retry. */
    getBody: async (tenant: string, id: string): Promise<string | null> =>
      redis.hget(keys.tenant(tenant).job(id), 'body'),

    /** Newest first. A page may hold fewer than `limit` and still have more after it, when its answers are large. */
    list: async (
      tenant: string,
      filter: JobFilter,
      after: string | null,
      limit: number,
    ): Promise<JobPage> => {
      const of = keys.tenant(tenant);
      const { status } = filter;
      // Few end so, and a night may have millions of others: those have an index of their own.
      const rare = status === 'failed' || status === 'cancelled' || status === 'expired';
      const index = rare ? of.unsuccessful : of.jobs;
      const metadata =
        Object.keys(filter.metadata).length === 0 ? '' : JSON.stringify(filter.metadata);
      const isFiltered = status !== undefined || filter.model !== undefined || metadata !== '';
      const ids: string[] = [];
      let bytes = 0;
      let cursor = after === null ? '' : rare ? `${status} ${after}` : after;
      for (;;) {
        const [kind, last, over, ...found] = (await run(
          'list-jobs',
          [index],
          [
            cursor,
            isFiltered ? SCAN_STRETCH : limit + 1,
            filter.createdAfterMs ?? '',
            of.job(''),
            status ?? '',
            filter.model ?? '',
            metadata,
            limit + 1 - ids.length,
          ],
        )) as [string, string, string, ...(string | number)[]];
        if (kind === 'unknown_cursor') return { kind };
        for (let at = 0; at < found.length; at += 2) {
          // One answer may be larger than a whole page should be; it then is the page.
          if (
            ids.length === limit ||
            (ids.length > 0 && bytes + Number(found[at + 1]) > PAGE_BYTES)
          ) {
            return { kind: 'page', jobs: await readMany(tenant, ids), hasMore: true };
          }
          ids.push(String(found[at]));
          bytes += Number(found[at + 1]);
        }
        if (over === '1')
          return { kind: 'page', jobs: await readMany(tenant, ids), hasMore: false };
        cursor = last;
      }
    },

    /** Settles a job as cancelled unless it is settled; the worker that holds it is told to abort its call. */
    cancel: async (tenant: string, id: string): Promise<'missing' | 'settled' | 'cancelled'> => {
      const of = keys.tenant(tenant);
      const [kind] = (await run(
        'cancel-job',
        [of.job(id), of.counts, of.expiring, of.unsuccessful, of.outbox],
        [keys.channels.events, keys.channels.control, retentionMs, 'Cancelled by request.'],
      )) as ['missing' | 'settled' | 'cancelled'];
      return kind;
    },

    /** Removes a settled job. The caller removes the returned blob; otherwise the cleaner does. */
    remove: async (tenant: string, id: string): Promise<RemoveJobResult> => {
      const of = keys.tenant(tenant);
      const [kind, detail = ''] = (await run(
        'delete-job',
        [of.job(id), of.jobs, of.unsuccessful, of.looseBlobs],
        [id],
      )) as [RemoveJobResult['kind'], string?];
      switch (kind) {
        case 'missing':
          return { kind };
        case 'not_settled':
          return { kind, status: detail as JobStatus };
        case 'deleted':
          return { kind, blob: detail === '' ? null : detail };
      }
    },

    /** How many jobs of a tenant stand in each status. */
    counts: async (tenant: string): Promise<Partial<Record<JobStatus, number>>> => {
      const counts = await redis.hgetall(keys.tenant(tenant).counts);
      return Object.fromEntries(
        Object.entries(counts).map(([status, count]) => [status, Number(count)]),
      );
    },

    tenants: async (): Promise<string[]> => redis.smembers(keys.tenants),

    /** The deliveries stand in their queues: the outbox need not keep these entries. */
    confirmDeliveries: async (tenant: string, entries: readonly string[]): Promise<void> => {
      await redis.zrem(keys.tenant(tenant).outbox, ...entries);
    },
  };
}

/** Delivery id, tokens, delivery id, tokens, … */
function entryOf(travelling: readonly string[]): QueueEntry | null {
  const deliveries = Array.from({ length: travelling.length / 2 }, (_, at) => {
    const tokens = travelling[2 * at + 1];
    return {
      deliveryId: travelling[2 * at] ?? '',
      tokens: tokens ? (JSON.parse(tokens) as TokenCounts) : null,
    };
  });
  const [first, ...others] = deliveries;
  return first === undefined ? null : { ...first, others };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
