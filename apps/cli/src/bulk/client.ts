import OpenAI, { toStreamingFile } from 'openai';
import {
  batchDryRunSchema,
  batchErrorsSchema,
  batchSchema,
  laneListSchema,
  laneSchema,
  type BatchDryRun,
  type BatchErrors,
  type BatchView,
  type LaneView,
} from '@nightshift/shared/http';
import {
  batchPageSchema,
  workerListSchema,
  type BatchPageView,
  type WorkerView,
} from './operator-views.ts';
import type { Server } from './server.ts';

/** The body of `POST /v1/batches`. */
export type BatchFields = Readonly<Record<string, unknown>>;
export type RetryFilter = {
  error_code?: string | readonly string[];
  custom_ids?: readonly string[];
};

export interface Accepted {
  batch: BatchView;
  /** Whether it was there already, under the same key. */
  isReplay: boolean;
}

export type ResultsQuery =
  | { order: 'input' }
  | { order: 'completion'; limit: number; after?: string };

interface Results {
  bytes: AsyncIterable<Uint8Array>;
  /** The place behind them. */
  nextAfter: string;
}

/** The calls that bulk runs make. Each is tried once: who waits and tries again is `createPatience`. */
export interface BulkClient {
  /** Resolves with the id of the file. */
  upload(
    content: AsyncIterable<Uint8Array>,
    filename: string,
    idempotencyKey: string,
  ): Promise<string>;
  removeFile(id: string): Promise<void>;
  /** The first three bytes of a file, the length of a byte-order mark; null if the file is gone. */
  fileStart(id: string): Promise<Uint8Array | null>;
  create(fields: BatchFields, idempotencyKey: string): Promise<Accepted>;
  dryRun(fields: BatchFields): Promise<BatchDryRun>;
  batch(id: string): Promise<BatchView>;
  /** A page, newest first. */
  batches(limit: number, after: string | null): Promise<BatchPageView>;
  lanes(): Promise<LaneView[]>;
  /** Null if the API is too old to list workers. */
  workers(): Promise<WorkerView[] | null>;
  changeBatch(id: string, verb: 'pause' | 'resume'): Promise<BatchView>;
  changeLane(id: string, verb: 'pause' | 'resume'): Promise<LaneView>;
  errors(id: string): Promise<BatchErrors>;
  cancel(id: string): Promise<BatchView>;
  retry(id: string, filter: RetryFilter | null, idempotencyKey: string): Promise<BatchView>;
  /** Results as they stand: all of them in the order of the input, or a page of those that came after a place. */
  results(id: string, query: ResultsQuery): Promise<Results>;
}

const CALL_TIMEOUT_MS = 60_000;
/** Until the first byte: for their order all results are read. */
const RESULTS_TIMEOUT_MS = 600_000;
/** Of a file: as long as it may take to bring 200 MB over a thin line. */
const UPLOAD_TIMEOUT_MS = 4 * 3_600_000;

export function createBulkClient({ url, apiKey }: Server, signal: AbortSignal): BulkClient {
  const sdk = new OpenAI({
    baseURL: `${url}/v1`,
    // Without keys the server ignores it; left out, the SDK would send the provider's.
    apiKey: apiKey ?? 'none',
    adminAPIKey: null,
    organization: null,
    project: null,
    maxRetries: 0,
    // With any other mode Node's fetch keeps the whole body that it streams, to send it again elsewhere.
    fetchOptions: { redirect: 'error' },
    timeout: CALL_TIMEOUT_MS,
  });
  const keyed = (key: string) => ({ signal, headers: { 'idempotency-key': key } });
  const get = async (path: string): Promise<unknown> => await sdk.get(path, { signal });
  const post = async (path: string, body: unknown): Promise<unknown> =>
    await sdk.post(path, { signal, body });

  return {
    upload: async (content, filename, key) => {
      const file = toStreamingFile(content, filename, { type: 'application/jsonl' });
      const options = { ...keyed(key), timeout: UPLOAD_TIMEOUT_MS };
      const { id } = await sdk.files.create({ file, purpose: 'batch' }, options);
      return id;
    },
    removeFile: async (id) => {
      await sdk.files.delete(id, { signal });
    },
    fileStart: async (id) => {
      try {
        const content = await sdk.files.content(id, { signal, headers: { range: 'bytes=0-2' } });
        return new Uint8Array(await content.arrayBuffer());
      } catch (error) {
        const { status } = error as { status?: unknown };
        // The file was deleted, or is empty.
        if (status === 404 || status === 416) return null;
        throw error;
      }
    },
    create: async (fields, key) => {
      const { data, response } = await sdk
        .post<unknown>('/batches', { ...keyed(key), body: fields })
        .withResponse();
      return {
        batch: batchSchema.parse(data),
        isReplay: response.headers.get('idempotent-replayed') === 'true',
      };
    },
    dryRun: async (fields) => batchDryRunSchema.parse(await post('/batches?dry_run=true', fields)),
    batch: async (id) => batchSchema.parse(await get(`/batches/${encodeURIComponent(id)}`)),
    batches: async (limit, after) => {
      const query = { limit, ...(after !== null && { after }) };
      return batchPageSchema.parse(await sdk.get<unknown>('/batches', { signal, query }));
    },
    lanes: async () => laneListSchema.parse(await get('/lanes')).data,
    workers: async () => {
      try {
        return workerListSchema.parse(await get('/workers')).data;
      } catch (error) {
        if (error instanceof OpenAI.APIError && error.status === 404) return null;
        throw error;
      }
    },
    changeBatch: async (id, verb) =>
      batchSchema.parse(await post(`/batches/${encodeURIComponent(id)}/${verb}`, undefined)),
    changeLane: async (id, verb) =>
      laneSchema.parse(await post(`/lanes/${encodeURIComponent(id)}/${verb}`, undefined)),
    errors: async (id) =>
      batchErrorsSchema.parse(await get(`/batches/${encodeURIComponent(id)}/errors`)),
    cancel: async (id) =>
      batchSchema.parse(await post(`/batches/${encodeURIComponent(id)}/cancel`, undefined)),
    retry: async (id, filter, key) =>
      batchSchema.parse(
        await sdk.post<unknown>(`/batches/${encodeURIComponent(id)}/retry`, {
          ...keyed(key),
          body: filter === null ? {} : { filter },
        }),
      ),
    results: async (id, query) => {
      const response = await sdk
        .get(`/batches/${encodeURIComponent(id)}/results`, {
          ...{ signal, query, timeout: RESULTS_TIMEOUT_MS },
        })
        .asResponse();
      return {
        bytes: response.body ?? (async function* () {})(),
        nextAfter: response.headers.get('x-next-after') ?? '',
      };
    },
  };
}
