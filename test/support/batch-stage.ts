import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  eventually,
  findOrStartRedis,
  startStack,
  type Child,
  type RedisHandle,
  type Stack,
} from '@nightshift/local';
import OpenAI, { toFile } from 'openai';
import { configureProvider, providerCalls } from './client.ts';
import type { ProviderCall } from './ledger.ts';

export type Batch = OpenAI.Batches.Batch;

/** A line of either result file. */
interface ResultLine {
  id: string;
  custom_id: string;
  response: { status_code: number; request_id: string | null; body: Answer } | null;
  error: { code: string; message: string } | null;
}
interface Answer {
  id: string;
  choices: { message: { content: string } }[];
  usage: { total_tokens: number };
}

export interface BatchStage<Served = RedisHandle> {
  client: OpenAI;
  stack: Stack;
  redis: Served;
  /** `http://127.0.0.1:PORT/v1` */
  url: string;
  /** What `NIGHTSHIFT_CONFIG` names for its processes. */
  configFile: string;
  upload(text: string, name?: string): Promise<string>;
  create(fields: { input_file_id: string } & Partial<OpenAI.BatchCreateParams>): Promise<Batch>;
  /** Waits until it has ended. */
  settled(id: string, timeoutMs?: number): Promise<Batch>;
  /** Waits until it stands so, or has ended. */
  reaches(id: string, what: (batch: Batch) => boolean, timeoutMs?: number): Promise<Batch>;
  /** Both files of a settled batch, each custom id of `ids` exactly once among them, and the counts as they say. */
  judged(batch: Batch, ids: readonly string[]): Promise<Judged>;
  lines(fileId: string | null | undefined): Promise<ResultLine[]>;
  /** The worker that took the batch last, if it lives. */
  conductorOf(id: string): Child | undefined;
  isOver(id: string): Promise<boolean>;
  /** A call that no SDK knows. */
  call(path: string, body?: unknown): Promise<Response>;
  latency(ms: number): Promise<void>;
  /** Since the call of this number. */
  calls(after?: number): Promise<ProviderCall[]>;
  stop(): Promise<void>;
}

export interface Judged {
  output: ResultLine[];
  failures: ResultLine[];
}

const ended = new Set(['completed', 'failed', 'expired', 'cancelled']);

interface StageOptions {
  workers?: number;
  env?: Record<string, string>;
  /** On top of what the stage configures. */
  config?: object;
}

/** A whole Nightshift with two workers, used as people use it: through the official SDK. */
export async function setBatchStage(options: StageOptions = {}): Promise<BatchStage> {
  return setBatchStageOn(
    await findOrStartRedis({ docker: 'testcontainers', owned: true }),
    options,
  );
}

/** The same on a Redis that is there already, which goes when the stage goes. */
export async function setBatchStageOn<Served extends Pick<RedisHandle, 'url' | 'stop'>>(
  redis: Served,
  { workers = 2, env = {}, config: ownSettings = {} }: StageOptions = {},
): Promise<BatchStage<Served>> {
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-batches-'));
  const config = join(folder, 'config.json');
  // Repeats of a flaky model come at once; what a test waits for is not the backoff.
  const settings = {
    retry: { base_ms: 20, cap_ms: 200 },
    limits: { batch_requests: 20_000 },
    ...ownSettings,
  };
  await writeFile(config, JSON.stringify(settings));
  let stack: Stack;
  try {
    stack = await startStack({
      redisUrl: redis.url,
      workers,
      env: {
        LOG_LEVEL: 'info',
        NIGHTSHIFT_API_KEYS: undefined,
        NIGHTSHIFT_BLOBS: undefined,
        NIGHTSHIFT_CONFIG: config,
        ...env,
      },
    });
  } catch (error) {
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const url = `${stack.apiUrl}/v1`;
  const simulatorUrl = String(stack.simulatorUrl);
  const client = new OpenAI({ baseURL: url, apiKey: 'any', timeout: 60_000 });

  const reaches: BatchStage['reaches'] = async (id, what, timeoutMs = 60_000) =>
    eventually(
      async () => {
        // A retry waits for seconds, in which a whole batch may pass.
        const batch = await client.batches.retrieve(id, { maxRetries: 0 });
        return what(batch) || ended.has(batch.status) ? batch : undefined;
      },
      { timeoutMs, intervalMs: 50, describe: `batch ${id}` },
    );
  const lines: BatchStage['lines'] = async (fileId) => {
    if (fileId == null) return [];
    const text = await (await client.files.content(fileId)).text();
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as ResultLine);
  };

  return {
    client,
    stack,
    redis,
    url,
    configFile: config,
    reaches,
    lines,
    conductorOf: (id) => {
      const taken = stack.workers.flatMap((worker) =>
        worker.lines
          .filter((line) => line.includes('"batch.conducted"') && line.includes(id))
          .map((line) => ({
            worker,
            epoch: Number((JSON.parse(line) as { epoch: string }).epoch),
          })),
      );
      const last = taken.toSorted((a, b) => a.epoch - b.epoch).at(-1)?.worker;
      return last?.exit === null ? last : undefined;
    },
    isOver: async (id) => ended.has((await client.batches.retrieve(id)).status),
    upload: async (text, name = 'input.jsonl') => {
      const file = await toFile(Buffer.from(text), name);
      const { id } = await client.files.create({ file, purpose: 'batch' });
      return id;
    },
    create: async (fields) =>
      client.batches.create({
        endpoint: '/v1/chat/completions',
        completion_window: '24h',
        ...fields,
      }),
    settled: async (id, timeoutMs) => reaches(id, () => false, timeoutMs),
    judged: async (batch, ids) => {
      const output = await lines(batch.output_file_id);
      const failures = await lines(batch.error_file_id);
      const seen = [...output, ...failures].map(({ custom_id: id }) => id).toSorted();
      if (JSON.stringify(seen) !== JSON.stringify(ids.toSorted())) {
        throw new Error(`${batch.id}: ${seen.length} results for ${ids.length} requests`);
      }
      const counts = { total: ids.length, completed: output.length, failed: failures.length };
      if (JSON.stringify(batch.request_counts) !== JSON.stringify(counts)) {
        throw new Error(
          `${batch.id} counts ${JSON.stringify(batch.request_counts)}, its files hold ${JSON.stringify(counts)}`,
        );
      }
      for (const { custom_id: id, response } of output) {
        const said = response?.body.choices[0]?.message.content;
        if (said?.includes(`[marker:${id}]`) !== true) throw new Error(`${id} holds ${said}`);
      }
      return { output, failures };
    },
    call: async (path, body) =>
      fetch(`${url}${path}`, {
        ...(body !== undefined && {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      }),
    latency: async (ms) => configureProvider(simulatorUrl, { latency: { kind: 'fixed', ms } }),
    calls: async (after) => providerCalls(simulatorUrl, after),
    stop: async () => {
      const { exit, pid } = stack.api;
      const lastWords = stack.api.tail();
      await stack.stop();
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
      // Nothing that a test does may end it.
      if (exit !== null)
        throw new Error(`API ${pid} had ended (${exit.signal ?? exit.code})\n${lastWords}`);
    },
  };
}

/** A request that the provider's answer repeats the custom id of. */
export function request(customId: string, model = 'sim-ok'): { custom_id: string; body: object } {
  return {
    custom_id: customId,
    body: {
      model,
      messages: [{ role: 'user', content: `Say ${customId}.` }],
      metadata: { marker: customId },
    },
  };
}

export function inputLine(customId: string, model?: string): string {
  const { body } = request(customId, model);
  return JSON.stringify({ custom_id: customId, method: 'POST', url: '/v1/chat/completions', body });
}

export function inputFile(ids: readonly string[], model?: string): string {
  return ids.map((id) => `${inputLine(id, model)}\n`).join('');
}

export function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
}
