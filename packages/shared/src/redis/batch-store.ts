import { createHash } from 'node:crypto';
import type { Batch, BatchStatus, LineGroup, NewBatch, OpenLines } from '../batch/index.ts';
import { parseBatch } from './batch-record.ts';
import type { RedisConnection } from './connect.ts';
import type { Idempotency } from './job-store.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

export type CreateBatchResult =
  | { kind: 'created'; batch: Batch }
  | { kind: 'replayed'; batch: Batch }
  | { kind: 'conflict'; id: string }
  /** The input file is gone. */
  | { kind: 'no_input' };

export type CancelBatchResult =
  /** It is cancelling or cancelled now, or was before. */
  | { kind: 'cancelling'; batch: Batch }
  /** It had ended in another way. */
  | { kind: 'settled'; status: BatchStatus }
  | { kind: 'missing' };

export interface BatchPage {
  batches: Batch[];
  hasMore: boolean;
}

/** What an idempotency key stands for already. */
export type RecalledBatch = { kind: 'replayed'; batch: Batch } | { kind: 'conflict'; id: string };

/** What the API does with batches; the conductor has a store of its own. */
export interface BatchStore {
  /** With the hold on its input file, in one script: once this resolves the batch is a promise. */
  create(id: string, batch: NewBatch, idempotency: Idempotency | null): Promise<CreateBatchResult>;
  /**
   * What `create` would say of the key, or null when it is new: asked before an input file is written for a batch, so that
   * a repeated call writes none.
   */
  recall(tenant: string, idempotency: Idempotency): Promise<RecalledBatch | null>;
  get(tenant: string, id: string): Promise<Batch | null>;
  /** Newest first. `after`: an id of the same tenant; null when it is none. */
  list(tenant: string, page: { limit: number; after: string | null }): Promise<BatchPage | null>;
  cancel(tenant: string, id: string): Promise<CancelBatchResult>;
  /** Null when there is no such batch; a settled one is left as it is. */
  setPaused(tenant: string, id: string, paused: boolean): Promise<Batch | null>;
  /** Ids of the batches that are not settled. */
  open(tenant: string): Promise<string[]>;
  /** The state of the lines that were fed and are not settled. */
  openLines(tenant: string, id: string): Promise<OpenLines>;
}

export interface BatchStoreOptions {
  redis: RedisConnection;
  run: RunScript;
  keys: Keys;
}

/** A batch counts as progressing for this long after each result. */
const MOVES_FOR_MS = 5000;
/** Most lines to sample for the state of a batch's open lines. */
const LINES_LOOKED_AT = 300;
const IDEMPOTENCY_MS = 24 * 3600 * 1000;

export function createBatchStore({ redis, run, keys }: BatchStoreOptions): BatchStore {
  const get = async (tenant: string, id: string): Promise<Batch | null> =>
    parseBatch(await redis.hgetall(keys.tenant(tenant).batch(id)));
  const mustGet = async (tenant: string, id: string): Promise<Batch> => {
    const batch = await get(tenant, id);
    if (batch === null) throw new Error(`batch ${id} is gone`);
    return batch;
  };

  return {
    create: async (id, batch, idempotency) => {
      const of = keys.tenant(batch.tenant);
      await redis.sadd(keys.tenants, batch.tenant);
      const hash = idempotency && sha256(idempotency.key);
      const [kind, other] = (await run(
        'create-batch',
        [
          of.batch(id),
          of.batches,
          of.openBatches,
          of.file(batch.inputFileId),
          ...(hash === null ? [] : [of.idempotency(hash)]),
        ],
        [
          ...[id, idempotency?.contentHash ?? '', IDEMPOTENCY_MS, batch.windowMs],
          ...[keys.channels.batches, batch.tenant, ...fieldsOf(batch)],
        ],
      )) as [CreateBatchResult['kind'], string | undefined];
      switch (kind) {
        case 'created':
          return { kind, batch: await mustGet(batch.tenant, id) };
        case 'replayed':
          return { kind, batch: await mustGet(batch.tenant, other ?? '') };
        case 'conflict':
          return { kind, id: other ?? '' };
        case 'no_input':
          return { kind };
      }
    },

    recall: async (tenant, { key, contentHash }) => {
      const record = keys.tenant(tenant).idempotency(sha256(key));
      const [id, hash] = await redis.hmget(record, 'id', 'hash');
      if (id == null) return null;
      const batch = await get(tenant, id);
      // Its retention has ended, and with it what the key stood for. It can also stand for a job or a file.
      if (batch === null && id.startsWith('batch_')) return null;
      return batch !== null && hash === contentHash
        ? { kind: 'replayed', batch }
        : { kind: 'conflict', id };
    },

    get,

    list: async (tenant, { limit, after }) => {
      const of = keys.tenant(tenant);
      const batches: Batch[] = [];
      let from = 0;
      if (after !== null) {
        const rank = await redis.zrevrank(of.batches, after);
        if (rank === null) return null;
        from = rank + 1;
      }
      for (;;) {
        const ids = await redis.zrevrange(of.batches, from, from + limit);
        for (const id of ids) {
          from += 1;
          const batch = await get(tenant, id);
          // Its retention has ended.
          if (batch === null) {
            await redis.zrem(of.batches, id);
            from -= 1;
            continue;
          }
          if (batches.length === limit) return { batches, hasMore: true };
          batches.push(batch);
        }
        if (ids.length <= limit) return { batches, hasMore: false };
      }
    },

    cancel: async (tenant, id) => {
      const [kind, status] = (await run('cancel-batch', [keys.tenant(tenant).batch(id)], [])) as [
        CancelBatchResult['kind'],
        BatchStatus,
      ];
      if (kind === 'settled') return { kind, status };
      return kind === 'missing' ? { kind } : { kind, batch: await mustGet(tenant, id) };
    },

    setPaused: async (tenant, id, paused) => {
      await run('pause-batch', [keys.tenant(tenant).batch(id)], ['paused', paused ? '1' : '0']);
      return get(tenant, id);
    },

    open: async (tenant) => redis.smembers(keys.tenant(tenant).openBatches),

    openLines: async (tenant, id) => {
      const of = keys.tenant(tenant);
      const reply = await run(
        'read-open-lines',
        [of.batchResults(id), of.batchWindow(id)],
        [MOVES_FOR_MS, LINES_LOOKED_AT, of.job('')],
      );
      return parseOpenLines(reply as string[]);
    },
  };
}

function parseOpenLines([, isMoving, ...flat]: string[]): OpenLines {
  const groups: LineGroup[] = [];
  for (let at = 0; at + 4 < flat.length; at += 5) {
    const [laneId = '', state, count, retryAt, message = ''] = flat.slice(at, at + 5);
    groups.push({
      laneId,
      state: state as LineGroup['state'],
      count: Number(count),
      retryAtMs: retryAt ? Number(retryAt) : null,
      message,
    });
  }
  return { isMoving: isMoving === '1', groups };
}

function fieldsOf(batch: NewBatch): (string | number)[] {
  const optional = (name: string, value: string | number | null): (string | number)[] =>
    value === null ? [] : [name, value];
  return [
    ...['tenant', batch.tenant, 'endpoint', batch.endpoint, 'input_file', batch.inputFileId],
    ...['completion_window', batch.completionWindow],
    ...optional('metadata', batch.metadata && JSON.stringify(batch.metadata)),
    ...optional('output_expires_after', batch.outputExpiresAfterMs),
    ...optional('run_at', batch.runAtMs),
    ...optional('quiet_hours', batch.quietHours && JSON.stringify(batch.quietHours)),
    ...optional('retry_of', batch.retryOf),
  ];
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
