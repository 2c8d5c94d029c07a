import { createHash } from 'node:crypto';
import type { FileContent, NewFile, StoredFile } from '../batch/index.ts';
import type { RedisConnection } from './connect.ts';
import { fileFields, parseFile } from './file-record.ts';
import type { Idempotency } from './job-store.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

const IDEMPOTENCY_MS = 24 * 3600 * 1000;
/** Longer than any upload may take, and than the life of an upload in parts with the joining of them. */
const HOLD_MS = 3 * 3600 * 1000;
/** Records looked at in one script: about a millisecond of Redis' time. */
const STRETCH = 500;

export type CreateFileResult =
  | { kind: 'created'; file: StoredFile }
  /** The same `Idempotency-Key` made this one before. */
  | { kind: 'replayed'; id: string }
  | { kind: 'conflict'; id: string }
  /** It took so long that its blob may have been removed. */
  | { kind: 'swept' };

export type RemoveFileResult =
  | { kind: 'removed'; content: FileContent }
  | { kind: 'missing' }
  /** A batch that is not settled reads it. */
  | { kind: 'in_use' };

export interface FileQuery {
  limit: number;
  order: 'asc' | 'desc';
  purpose: string | null;
  /** The id of a file of the same tenant. */
  after: string | null;
}

export interface FilePage {
  files: StoredFile[];
  hasMore: boolean;
}

/** What lies in the blob store and belongs to no record. A group is all segments of a batch. */
export type LooseBlob = { kind: 'blob' | 'segment' | 'group'; name: string };

export type FileStore = ReturnType<typeof createFileStore>;

/**
 * Files' records. Their bytes are in the blob store, and the two are kept in step by the tenant's loose blobs: a blob stands
 * there from before it is written until a record holds it, and again from when the record goes until it is removed.
 */
export function createFileStore({
  redis,
  run,
  keys,
}: {
  redis: RedisConnection;
  run: RunScript;
  keys: Keys;
}) {
  const redisNowMs = async (): Promise<number> => {
    const [s, us] = (await redis.time()).map(Number);
    return (s ?? 0) * 1000 + Math.floor((us ?? 0) / 1000);
  };

  return {
    /** Announces a blob before it is written: unless a record holds it in time, it is removed. */
    hold: async (tenant: string, blob: string): Promise<void> => {
      // Where the sweeps look for tenants; said each time, since it may be gone after a flush.
      await redis.sadd(keys.tenants, tenant);
      const untilMs = (await redisNowMs()) + HOLD_MS;
      await redis.zadd(keys.tenant(tenant).looseBlobs, untilMs, `blob ${blob}`);
    },

    /** Makes a file of a blob that was announced by `hold` and is complete. Once this resolves it is a promise. */
    create: async (
      file: NewFile & { content: { kind: 'blob' } },
      idempotency: Idempotency | null = null,
    ): Promise<CreateFileResult> => {
      const of = keys.tenant(file.tenant);
      const { expiresAfterMs, ...record } = file;
      const [kind, second, expiresAt] = (await run(
        'create-file',
        [
          of.file(file.id),
          of.files,
          of.expiringFiles,
          of.looseBlobs,
          ...(idempotency === null ? [] : [of.idempotency(sha256(idempotency.key))]),
        ],
        [
          ...[file.id, file.tenant, file.filename, file.purpose, file.bytes, expiresAfterMs ?? ''],
          ...[JSON.stringify(file.content), file.content.name],
          ...[idempotency?.contentHash ?? '', IDEMPOTENCY_MS],
        ],
      )) as ['created' | 'replayed' | 'conflict' | 'swept', string, string];
      switch (kind) {
        case 'created':
          return {
            kind,
            file: {
              ...record,
              createdAtMs: Number(second),
              expiresAtMs: expiresAt === '' ? null : Number(expiresAt),
            },
          };
        case 'swept':
          return { kind };
        default:
          return { kind, id: second };
      }
    },

    get: async (tenant: string, id: string): Promise<StoredFile | null> =>
      parseFile(await redis.hmget(keys.tenant(tenant).file(id), ...fileFields)),

    /** Null when `after` is no file of this tenant. */
    list: async (tenant: string, query: FileQuery): Promise<FilePage | null> => {
      const of = keys.tenant(tenant);
      const files: StoredFile[] = [];
      let cursor = query.after ?? '';
      for (;;) {
        const [kind, last, over, ...found] = (await run(
          'list-files',
          [of.files],
          [
            ...[cursor, STRETCH, query.order, query.purpose ?? '', of.file('')],
            ...[query.limit + 1 - files.length, ...fileFields],
          ],
        )) as [string, string, string, ...(string | null)[][]];
        // One that went between two stretches: its page ends there.
        if (kind === 'unknown_cursor') return files.length === 0 ? null : { files, hasMore: true };
        files.push(...found.map(parseFile).filter((file) => file !== null));
        if (files.length > query.limit) return { files: files.slice(0, -1), hasMore: true };
        if (over === '1') return { files, hasMore: false };
        cursor = last;
      }
    },

    /** The record goes at once; its bytes are the caller's to remove, or the sweep's. */
    remove: async (tenant: string, id: string): Promise<RemoveFileResult> => {
      const of = keys.tenant(tenant);
      const [kind, content = ''] = (await run(
        'remove-file',
        [of.file(id), of.files, of.expiringFiles, of.looseBlobs],
        [id],
      )) as [RemoveFileResult['kind'], string?];
      return kind === 'removed' ? { kind, content: JSON.parse(content) as FileContent } : { kind };
    },

    /** It is gone from the blob store. */
    forgetLoose: async (tenant: string, { kind, name }: LooseBlob): Promise<void> => {
      await redis.zrem(keys.tenant(tenant).looseBlobs, `${kind} ${name}`);
    },
  };
}

/** What a file's content is made of in the blob store. */
export function blobsOf(content: FileContent): LooseBlob[] {
  return content.kind === 'blob'
    ? [{ kind: 'blob', name: content.name }]
    : content.segments.map(({ name }) => ({ kind: 'segment', name }));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
