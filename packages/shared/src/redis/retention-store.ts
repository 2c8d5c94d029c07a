import type { RedisConnection } from './connect.ts';
import type { LooseBlob } from './file-store.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

/** Records looked at in one script, and blobs taken in hand at once. */
const STRETCH = 500;
/** A file whose time is up while a batch holds it is looked at again after this long, and a batch that has files. */
const FILE_AGAIN_MS = 60_000;
const BATCH_AGAIN_MS = 3_600_000;

/** How far one look went: what it did, and whether there may be more. */
export interface Stretch {
  count: number;
  isMore: boolean;
}

export type RetentionStore = ReturnType<typeof createRetentionStore>;

/** What ends the lives of files, batches, and of what they leave in the blob store. Each call does a stretch of it. */
export function createRetentionStore({
  redis,
  run,
  keys,
}: {
  redis: RedisConnection;
  run: RunScript;
  keys: Keys;
}) {
  const stretch = async (reply: Promise<unknown>): Promise<Stretch> => {
    const [count, looked] = (await reply) as [number, number];
    return { count, isMore: looked === STRETCH };
  };

  return {
    /**
     * Whether this process does a chore now; no other does it for so long. It only saves work: two that do it at once, one
     * of them having taken too long, do no harm.
     */
    takeTurn: async (chore: string, worker: string, forMs: number): Promise<boolean> =>
      (await run('take-turn', [keys.turn(chore)], [worker, forMs])) === 1,

    /** Removes the records of files whose time is up and that no batch reads. */
    expireFiles: async (tenant: string): Promise<Stretch> => {
      const of = keys.tenant(tenant);
      return stretch(
        run(
          'expire-files',
          [of.expiringFiles, of.files, of.looseBlobs],
          [of.file(''), STRETCH, FILE_AGAIN_MS],
        ),
      );
    },

    /** Removes the records of batches whose retention has ended and whose files are gone. */
    retireBatches: async (tenant: string): Promise<Stretch> => {
      const of = keys.tenant(tenant);
      return stretch(
        run(
          'retire-batches',
          [of.expiringBatches, of.batches, of.looseBlobs],
          [of.batch(''), of.file(''), STRETCH, BATCH_AGAIN_MS],
        ),
      );
    },

    /** What may be removed from the blob store by now. No record can be made of it any more. */
    dueLoose: async (tenant: string): Promise<LooseBlob[]> => {
      const [seconds, micros] = await redis.time();
      const nowMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
      const of = keys.tenant(tenant);
      const entries = await redis.zrangebyscore(of.looseBlobs, '-inf', nowMs, 'LIMIT', 0, STRETCH);
      return entries.map((entry) => {
        const [kind, name = ''] = entry.split(' ', 2);
        return { kind: kind as LooseBlob['kind'], name };
      });
    },

    /** They are gone from the blob store. */
    forgetLoose: async (tenant: string, gone: readonly LooseBlob[]): Promise<void> => {
      const entries = gone.map(({ kind, name }) => `${kind} ${name}`);
      if (entries.length > 0) await redis.zrem(keys.tenant(tenant).looseBlobs, ...entries);
    },
  };
}
