import {
  deliveryId,
  formatStanding,
  parseStanding,
  type Endpoint,
  type Priority,
  type QueueEntry,
  type Standing,
  type TokenCounts,
  type WaitReason,
} from '../job/index.ts';
import type { Usage } from '../usage/index.ts';
import type { AnswerBlob } from './answer-blob.ts';
import { gatherMoves } from './gather-moves.ts';
import type { JobStoreOptions } from './job-store.ts';

/** A job that outlived this many workers kills the next one too: it is failed instead of tried again. */
export const MAX_RESCUES = 3;

const TRIM_PAGE = 500;
/** Must outlast the writing of an answer and the saving of its result, even through an outage of Redis. */
const HOLD_ANSWER_MS = 24 * 3600 * 1000;

/** What a worker holds while it works on a job. */
export interface Claim {
  tenant: string;
  jobId: string;
  /** The fence: moves under an older generation change nothing. */
  generation: number;
  /** This attempt's number, from 1, over all that counted. */
  attempt: number;
  /** How many of those were cut short by the death of their worker; they use up no attempt. */
  rescues: number;
  maxAttempts: number;
  endpoint: Endpoint;
  priority: Priority;
  body: string;
  expiresAtMs: number | null;
  firstAttemptAtMs: number;
  createdAtMs: number;
  standing: Standing;
  /** Redis' clock when the attempt began. */
  nowMs: number;
}

export type BeginResult =
  | { kind: 'started'; claim: Claim }
  | { kind: 'missing' | 'settled' | 'stale' | 'expired' | 'quarantined' }
  | { kind: 'not_due'; waitMs: number };

/** The terminal record that an attempt leads to. */
export interface Settlement {
  status: 'completed' | 'failed';
  /** If `blob` is set, the body is in that blob, which `holdAnswer` announced, and is not stored in Redis. */
  response: {
    statusCode: number;
    requestId: string | null;
    body: string;
    blob?: AnswerBlob;
  } | null;
  error: { code: string; message: string } | null;
  usage: Usage | null;
  costUsd: number | null;
}

export interface Release {
  reason: WaitReason | null;
  message: string;
  /** Null for the head of the queue it came from. */
  delayMs: number | null;
  charged: boolean;
  /** The job's new standing; omit to keep the current one. */
  standing?: Standing;
  /** For the event log: `rate_limited`, `backoff`, `handed_off` … */
  detail: string;
}

/** A delivery that is to be put into its queue. */
export interface DueDelivery extends QueueEntry {
  /** What stands for it in the outbox, to be confirmed. */
  entry: string;
  laneId: string;
  priority: Priority;
}

export type AttemptStore = ReturnType<typeof createAttemptStore>;

/** What a worker does with jobs, one script per move. */
export function createAttemptStore({ redis, run, keys, retentionMs }: JobStoreOptions) {
  const settleKeys = (tenant: string, id: string): string[] => {
    const of = keys.tenant(tenant);
    return [of.job(id), of.counts, of.expiring, of.unsuccessful];
  };

  const indexes = (tenant: string): string[] => {
    const of = keys.tenant(tenant);
    return [of.counts, of.expiring, of.unsuccessful];
  };
  const makeBegin = gatherMoves<[BeginResult['kind'], ...(string | number)[]]>({
    name: 'begin-attempt',
    call: async (scriptKeys, args) => run('begin-attempt', scriptKeys, args as (string | number)[]),
    shared: (tenant) => ({
      keys: indexes(tenant),
      args: [keys.channels.events, tenant, MAX_RESCUES, retentionMs],
    }),
  });
  const makeSettle = gatherMoves<['settled' | 'lost']>({
    name: 'settle-job',
    // What is begun in the slot of a call that is over comes after its result.
    stage: 'record',
    call: async (scriptKeys, args) => run('settle-job', scriptKeys, args as (string | number)[]),
    shared: (tenant) => ({
      keys: [...indexes(tenant), keys.tenant(tenant).paces, keys.tenant(tenant).looseBlobs],
      args: [keys.channels.events, tenant, retentionMs],
    }),
  });

  return {
    /**
     * Claims a delivery for one attempt; recorded before the provider is called. `openedRuns`: runs of failures that opened the
     * lane's breaker; gives back what the job was charged in one of them.
     */
    begin: async (
      tenant: string,
      jobId: string,
      delivery: number,
      claimId: string,
      workerId: string,
      openedRuns = ',',
    ): Promise<BeginResult> => {
      const [kind, ...rest] = await makeBegin(tenant, {
        keys: [keys.tenant(tenant).job(jobId)],
        args: [jobId, delivery, claimId, workerId, openedRuns],
        // Their bodies come back.
        length: 0,
      });
      if (kind === 'not_due') return { kind, waitMs: Number(rest[0]) };
      if (kind !== 'started') return { kind };
      const [
        generation,
        attempt,
        rescues,
        nowMs,
        endpoint,
        body,
        maxAttempts,
        expiresAt,
        firstAttemptAt,
        createdAt,
        priority,
        standing,
      ] = rest;
      return {
        kind,
        claim: {
          tenant,
          jobId,
          generation: Number(generation),
          attempt: Number(attempt),
          rescues: Number(rescues),
          maxAttempts: Number(maxAttempts),
          endpoint: endpoint as Endpoint,
          priority: priority as Priority,
          body: String(body),
          standing: parseStanding(String(standing ?? '')),
          expiresAtMs: expiresAt === '' || expiresAt === undefined ? null : Number(expiresAt),
          firstAttemptAtMs: Number(firstAttemptAt),
          createdAtMs: Number(createdAt),
          nowMs: Number(nowMs),
        },
      };
    },

    /** Announces an answer's blob before it is written. It is removed unless a result refers to it in time. */
    holdAnswer: async (tenant: string, blob: string): Promise<void> => {
      await run('hold-answer', [keys.tenant(tenant).looseBlobs], [blob, HOLD_ANSWER_MS]);
    },

    /** Records the result. `lost`: the claim was taken over, or the job cancelled or expired; nothing was changed. */
    settle: async (claim: Claim, settlement: Settlement): Promise<'settled' | 'lost'> => {
      const { response, error, usage, costUsd } = settlement;
      const fields = [
        ...(response === null ? [] : responseFields(response)),
        ...(error === null ? [] : ['error_code', error.code, 'error_message', error.message]),
        ...(usage === null ? [] : ['usage', JSON.stringify(usage)]),
        ...(costUsd === null ? [] : ['cost_usd', String(costUsd)]),
      ];
      const [kind] = await makeSettle(claim.tenant, {
        keys: [keys.tenant(claim.tenant).job(claim.jobId)],
        args: [
          ...[fields.length + 4, claim.jobId, claim.generation, settlement.status],
          response?.blob?.name ?? '',
          ...fields,
        ],
        length: response?.blob === undefined ? (response?.body.length ?? 0) : 0,
      });
      return kind;
    },

    /** Gives the job back to its queue, at once or after a delay. */
    release: async (claim: Claim, release: Release): Promise<'released' | 'lost'> => {
      const of = keys.tenant(claim.tenant);
      const [kind] = (await run(
        'release-job',
        [of.job(claim.jobId), of.counts, of.outbox],
        [
          keys.channels.events,
          claim.generation,
          release.reason ?? '',
          release.message,
          release.delayMs === null ? '' : Math.ceil(release.delayMs),
          release.charged ? '1' : '0',
          release.detail,
          release.standing === undefined ? '' : formatStanding(release.standing),
        ],
      )) as ['released' | 'lost'];
      return kind;
    },

    /** Which of these jobs are still held under the generation that the caller has. */
    stillHeld: async (claims: readonly Claim[]): Promise<boolean[]> =>
      Promise.all(
        claims.map(async ({ tenant, jobId, generation }) => {
          const [status, current] = await redis.hmget(
            keys.tenant(tenant).job(jobId),
            'status',
            'generation',
          );
          return status === 'in_progress' && Number(current) === generation;
        }),
      ),

    /** Settles the jobs of a tenant whose time is up; at most 200 at once. Resolves to how many. */
    expireDue: async (tenant: string): Promise<number> => {
      const of = keys.tenant(tenant);
      const [seconds, micros] = await redis.time();
      const nowMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
      const due = await redis.zrangebyscore(of.expiring, '-inf', nowMs, 'LIMIT', 0, 200);
      const results = await Promise.all(
        due.map(async (id) =>
          run(
            'expire-job',
            [...settleKeys(tenant, id), of.outbox],
            [keys.channels.events, keys.channels.control, retentionMs, id],
          ),
        ),
      );
      return results.filter((result) => (result as string[])[0] === 'expired').length;
    },

    /**
     * Deliveries of a tenant whose instant has come, for a while; see take-due.lua. One whose jobs have all moved on is
     * removed on the way; while one of them has not, the bundle stays what it was, and with it its name.
     */
    takeDue: async (tenant: string, limit: number, holdMs: number): Promise<DueDelivery[]> => {
      const of = keys.tenant(tenant);
      const entries = (await run('take-due', [of.outbox], [limit, holdMs])) as string[];
      const read = async (id: string) => {
        const jobId = id.slice(0, id.lastIndexOf('.'));
        const [status, delivery, lane, priority, tokens] = await redis.hmget(
          of.job(jobId),
          ...['status', 'delivery', 'lane', 'priority', 'tokens'],
        );
        const isDue = status === 'queued' && deliveryId(jobId, Number(delivery)) === id;
        return {
          deliveryId: id,
          laneId: isDue ? lane || null : null,
          priority: priority as Priority,
          tokens: tokens ? (JSON.parse(tokens) as TokenCounts) : null,
        };
      };
      const taken = await Promise.all(
        entries.map(async (entry) => {
          const [first, ...others] = await Promise.all(
            entry.split(' ').map(async (id) => read(id)),
          );
          const waiting = [first, ...others].find((each) => each?.laneId != null);
          if (first === undefined || waiting?.laneId == null) {
            await redis.zrem(of.outbox, entry);
            return undefined;
          }
          const { laneId, priority } = waiting;
          return {
            entry,
            deliveryId: first.deliveryId,
            tokens: first.tokens,
            others: others.map((other) => ({ deliveryId: other.deliveryId, tokens: other.tokens })),
            laneId,
            priority,
          };
        }),
      );
      return taken.filter((entry) => entry !== undefined);
    },

    /** Removes the index entries of jobs whose retention has ended; at most 500 of each index a call. */
    trimIndexes: async (tenant: string): Promise<number> => {
      const of = keys.tenant(tenant);
      const [seconds] = await redis.time();
      const oldest = Number(seconds) * 1000 - retentionMs;
      let removed = 0;
      for (const index of [of.jobs, of.unsuccessful]) {
        // Old jobs that still wait, behind a paused lane for instance, must not hide those behind them.
        for (let from = 0; ; from += TRIM_PAGE) {
          const members = await redis.zrangebyscore(
            index,
            '-inf',
            oldest,
            'LIMIT',
            from,
            TRIM_PAGE,
          );
          const exists = await Promise.all(
            members.map(async (member) =>
              redis.exists(of.job(member.slice(member.indexOf(' ') + 1))),
            ),
          );
          const gone = members.filter((_member, at) => exists[at] === 0);
          if (gone.length > 0) removed += await redis.zrem(index, ...gone);
          if (gone.length > 0 || members.length < TRIM_PAGE) break;
        }
      }
      return removed;
    },
  };
}

function responseFields({
  statusCode,
  requestId,
  body,
  blob,
}: NonNullable<Settlement['response']>): (string | number)[] {
  return [
    ...['response_status', statusCode],
    ...(blob === undefined
      ? ['response_body', body]
      : ['response_blob', blob.name, 'response_bytes', blob.bytes]),
    ...['response_request_id', requestId ?? ''],
  ];
}
