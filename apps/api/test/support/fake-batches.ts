import {
  isBatchSettled,
  type Batch,
  type NewBatch,
  type OpenLines,
  type StoredFile,
} from '@nightshift/shared/batch';
import type { BatchStore, Idempotency } from '@nightshift/shared/redis';
import type { InputFiles } from '../../src/batches/batch-context.ts';

export interface FakeBatches extends BatchStore {
  /** What a conductor would do. */
  move(id: string, fields: Partial<Batch>): Batch;
  /** Where its lines stand from now on; until then they move. */
  place(id: string, lines: OpenLines): void;
  /** Calls of `get`. */
  readonly reads: number;
  readonly size: number;
}

/** The store of batches in memory, each call one step as the scripts are. */
export function createFakeBatches(files: Pick<InputFiles, 'get'>): FakeBatches {
  const all = new Map<string, Batch>();
  const lines = new Map<string, OpenLines>();
  const used = new Map<string, { id: string; hash: string }>();
  let reads = 0;
  let nowMs = Date.now();
  const own = (tenant: string, id: string): Batch | null => {
    const batch = all.get(id);
    return batch?.tenant === tenant ? batch : null;
  };
  const recall = (tenant: string, { key, contentHash }: Idempotency) => {
    const before = used.get(`${tenant} ${key}`);
    const batch = before && all.get(before.id);
    if (before === undefined || batch === undefined) return null;
    return before.hash === contentHash
      ? ({ kind: 'replayed', batch } as const)
      : ({ kind: 'conflict', id: before.id } as const);
  };
  const move = (id: string, fields: Partial<Batch>): Batch => {
    const batch = all.get(id);
    if (batch === undefined) throw new Error(`no batch ${id}`);
    const moved = { ...batch, ...fields };
    all.set(id, moved);
    return moved;
  };

  return {
    get reads() {
      return reads;
    },
    get size() {
      return all.size;
    },
    move,
    place: (id, open) => {
      lines.set(id, open);
    },
    open: async (tenant) =>
      [...all.values()]
        .filter((batch) => batch.tenant === tenant && !isBatchSettled(batch.status))
        .map(({ id }) => id),
    openLines: async (_tenant, id) => lines.get(id) ?? { isMoving: true, groups: [] },
    recall: async (tenant, idempotency) => recall(tenant, idempotency),
    create: async (id, given, idempotency) => {
      const input = await files.get(given.tenant, given.inputFileId);
      // From here on without a pause, as a script.
      const before = idempotency && recall(given.tenant, idempotency);
      if (before !== null) return before;
      if (input === null) return { kind: 'no_input' };
      nowMs += 1;
      const batch = newBatch(id, given, nowMs);
      all.set(id, batch);
      if (idempotency !== null) {
        used.set(`${given.tenant} ${idempotency.key}`, { id, hash: idempotency.contentHash });
      }
      return { kind: 'created', batch };
    },
    get: async (tenant, id) => {
      reads += 1;
      return own(tenant, id);
    },
    list: async (tenant, { limit, after }) => {
      const mine = [...all.values()]
        .filter((batch) => batch.tenant === tenant)
        .toSorted((a, b) => b.createdAtMs - a.createdAtMs);
      const from = after === null ? 0 : mine.findIndex(({ id }) => id === after) + 1;
      if (after !== null && from === 0) return null;
      return { batches: mine.slice(from, from + limit), hasMore: mine.length > from + limit };
    },
    cancel: async (tenant, id) => {
      const batch = own(tenant, id);
      if (batch === null) return { kind: 'missing' };
      if (batch.status === 'cancelling' || batch.status === 'cancelled') {
        return { kind: 'cancelling', batch };
      }
      if (isBatchSettled(batch.status)) return { kind: 'settled', status: batch.status };
      return {
        kind: 'cancelling',
        batch: move(id, { status: 'cancelling', cancellingAtMs: nowMs }),
      };
    },
    setPaused: async (tenant, id, paused) => {
      const batch = own(tenant, id);
      return batch === null || isBatchSettled(batch.status) ? batch : move(id, { paused });
    },
  };
}

function newBatch(id: string, given: NewBatch, nowMs: number): Batch {
  return {
    id,
    tenant: given.tenant,
    endpoint: given.endpoint,
    model: null,
    status: 'validating',
    inputFileId: given.inputFileId,
    completionWindow: given.completionWindow,
    outputFileId: null,
    errorFileId: null,
    outputExpiresAfterMs: given.outputExpiresAfterMs,
    errors: null,
    errorCount: 0,
    createdAtMs: nowMs,
    inProgressAtMs: null,
    expiresAtMs: nowMs + given.windowMs,
    finalizingAtMs: null,
    completedAtMs: null,
    failedAtMs: null,
    expiredAtMs: null,
    cancellingAtMs: null,
    cancelledAtMs: null,
    counts: { total: 0, completed: 0, failed: 0 },
    usage: {
      inputTokens: 0,
      cachedInputTokens: 0,
      outputTokens: 0,
      reasoningTokens: 0,
      totalTokens: 0,
    },
    costUsd: 0,
    metadata: given.metadata,
    paused: false,
    runAtMs: given.runAtMs,
    quietHours: given.quietHours,
    retryOf: given.retryOf,
    heldUp: null,
    output: [],
    failures: [],
  };
}

export interface FakeFiles extends InputFiles {
  readonly all: ReadonlyMap<string, StoredFile>;
}

/** The records of files in memory. */
export function createFakeFiles(): FakeFiles {
  const all = new Map<string, StoredFile>();
  return {
    all,
    get: async (tenant, id) => {
      const file = all.get(id);
      return file?.tenant === tenant ? file : null;
    },
    hold: async () => {},
    create: async ({ expiresAfterMs, ...file }) => {
      const createdAtMs = Date.now();
      const expiresAtMs = expiresAfterMs === null ? null : createdAtMs + expiresAfterMs;
      all.set(file.id, { ...file, createdAtMs, expiresAtMs });
      return { kind: 'created' };
    },
    remove: async (tenant, id) => {
      if (all.get(id)?.tenant === tenant) all.delete(id);
    },
  };
}
