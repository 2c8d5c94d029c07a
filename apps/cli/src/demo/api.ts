import { createReadStream } from 'node:fs';
import OpenAI from 'openai';
import {
  batchDryRunSchema,
  batchErrorsSchema,
  batchSchema,
  jobSchema,
  laneListSchema,
  type BatchDryRun,
  type BatchErrors,
  type BatchView,
  type LaneView,
} from '@nightshift/shared/http';
import type { ChatBody } from './sample/requests.ts';

export type JobView = ReturnType<typeof jobSchema.parse>;

/** The calls that the demo makes, as any program would: OpenAI's own where there is one, REST for what we add. */
export interface Api {
  /** Uploads an input file. Resolves with its id. */
  upload(path: string): Promise<string>;
  dryRun(inputFileId: string): Promise<BatchDryRun>;
  createBatch(inputFileId: string, idempotencyKey: string): Promise<BatchView>;
  batch(id: string): Promise<BatchView>;
  /** What failed, in groups. */
  errors(id: string): Promise<BatchErrors>;
  /** The bytes of a file as text; nothing for a file that there is none of. */
  content(fileId: string | null): Promise<string>;
  lanes(): Promise<LaneView[]>;
  /** A job that goes before the batch; with `waitSeconds` as it is when it settles, or so much later. */
  submitJob(body: ChatBody, idempotencyKey: string, waitSeconds?: number): Promise<JobView>;
  job(id: string): Promise<JobView>;
  cancelJob(id: string): Promise<JobView>;
}

const CALL_TIMEOUT_MS = 40_000;
const BATCH = { endpoint: '/v1/chat/completions', completion_window: '24h' } as const;

/** @param url of the API, without `/v1` */
export function createApi(url: string, signal: AbortSignal): Api {
  const options = { signal };
  // Without keys the API takes any.
  const openai = new OpenAI({
    baseURL: `${url}/v1`,
    apiKey: 'any',
    maxRetries: 5,
    timeout: CALL_TIMEOUT_MS,
  });
  return {
    upload: async (path) => {
      const file = createReadStream(path);
      return (await openai.files.create({ file, purpose: 'batch' }, options)).id;
    },
    dryRun: async (inputFileId) =>
      batchDryRunSchema.parse(
        await openai.post('/batches?dry_run=true', {
          body: { ...BATCH, input_file_id: inputFileId },
          ...options,
        }),
      ),
    createBatch: async (inputFileId, idempotencyKey) =>
      batchSchema.parse(
        await openai.batches.create(
          { ...BATCH, input_file_id: inputFileId },
          { headers: { 'idempotency-key': idempotencyKey }, ...options },
        ),
      ),
    batch: async (id) => batchSchema.parse(await openai.batches.retrieve(id, options)),
    errors: async (id) =>
      batchErrorsSchema.parse(await openai.get(`/batches/${id}/errors`, options)),
    content: async (fileId) =>
      fileId === null ? '' : await (await openai.files.content(fileId, options)).text(),
    lanes: async () => laneListSchema.parse(await openai.get('/lanes', options)).data,
    submitJob: async (body, idempotencyKey, waitSeconds = 0) =>
      jobSchema.parse(
        await openai.post('/jobs', {
          body: { body, priority: 'interactive' },
          headers: {
            'idempotency-key': idempotencyKey,
            ...(waitSeconds > 0 && { prefer: `wait=${waitSeconds}` }),
          },
          ...options,
        }),
      ),
    job: async (id) => jobSchema.parse(await openai.get(`/jobs/${id}`, options)),
    cancelJob: async (id) => jobSchema.parse(await openai.post(`/jobs/${id}/cancel`, options)),
  };
}
