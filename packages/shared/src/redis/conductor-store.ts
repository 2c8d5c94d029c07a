import type {
  Batch,
  BatchInputError,
  BatchStatus,
  FileContent,
  ResultSegment,
} from '../batch/index.ts';
import {
  deliveryId,
  outboxEntry,
  type Endpoint,
  type JobStatus,
  type TokenCounts,
} from '../job/index.ts';
import type { Usage } from '../usage/index.ts';
import { parseAnswerBlob, type AnswerBlob } from './answer-blob.ts';
import { parseBatch } from './batch-record.ts';
import type { BatchStoreOptions } from './batch-store.ts';
import { sendLarge } from './send-large.ts';

/** The right to conduct a batch: what is written under an older epoch changes nothing. */
export interface Conducting {
  tenant: string;
  id: string;
  epoch: string;
}

/** Where the conductor stands in its input. */
export interface InputPlace {
  /** Requests fed or skipped. */
  fed: number;
  /** The last line that was read, from 1. */
  line: number;
  /** Its end in the input file, its line feed not counted. */
  bytes: number;
}

/** What of a batch only its conductor needs. */
export interface ConductedBatch {
  batch: Batch;
  place: InputPlace;
  isValidated: boolean;
  /** Held back by its hours: lines in its window are not called. */
  isResting: boolean;
  /** Of the lines that failed, those whose window ended first. */
  expiredLines: number;
  nowMs: number;
}

/** A line that goes into its lane. */
export interface FedLine {
  line: number;
  customId: string;
  endpoint: Endpoint;
  model: string;
  laneId: string;
  body: string;
  tokens: TokenCounts | null;
}

/** A result that is not in a file yet. */
export interface LineResult {
  streamId: string;
  line: number;
  customId: string;
  status: JobStatus;
  /** If `blob` is set, the body is in the blob store, and `body` is empty. */
  response: {
    statusCode: number;
    requestId: string | null;
    body: string;
    blob?: AnswerBlob | null;
  } | null;
  error: { code: string; message: string } | null;
  usage: Usage | null;
  costUsd: number | null;
}

export interface OutputFile {
  id: string;
  filename: string;
  segments: readonly ResultSegment[];
}

/** A conductor that dies gives way after this; it renews several times within it. */
export const CONDUCTOR_HOLD_MS = 6000;
/** Until the conductor has put its lines into their queues, the outbox stands for the delivery. */
const OUTBOX_GRACE_MS = 5000;

export type ConductorStore = ReturnType<typeof createConductorStore>;

export function createConductorStore({
  redis,
  run,
  keys,
  retentionMs,
}: BatchStoreOptions & { retentionMs: number }) {
  const said = async (reply: Promise<unknown>): Promise<string> => ((await reply) as [string])[0];

  return {
    open: async (tenant: string): Promise<string[]> =>
      redis.smembers(keys.tenant(tenant).openBatches),

    /** Takes or keeps the conducting of a batch; null when another has it or it is over. */
    take: async (tenant: string, id: string, workerId: string): Promise<Conducting | null> => {
      const of = keys.tenant(tenant);
      const [kind, epoch] = (await run(
        'take-batch',
        [of.batch(id), of.openBatches],
        [id, workerId, CONDUCTOR_HOLD_MS],
      )) as [string, string];
      return kind === 'taken' ? { tenant, id, epoch } : null;
    },

    read: async ({ tenant, id }: Conducting): Promise<ConductedBatch | null> => {
      const record = await redis.hgetall(keys.tenant(tenant).batch(id));
      const batch = parseBatch(record);
      if (batch === null) return null;
      const [seconds, micros] = await redis.time();
      return {
        batch,
        place: {
          fed: Number(record['fed']),
          line: Number(record['read_line'] ?? 0),
          bytes: Number(record['read_bytes'] ?? 0),
        },
        isValidated: record['validated'] === '1',
        isResting: record['resting'] === '1',
        expiredLines: Number(record['expired'] ?? 0),
        nowMs: Number(seconds) * 1000 + Math.floor(Number(micros) / 1000),
      };
    },

    /** The blob that a batch's input is. */
    inputName: async ({ tenant }: Conducting, fileId: string): Promise<string> => {
      const content = await redis.hget(keys.tenant(tenant).file(fileId), 'content');
      const parsed = content === null ? null : (JSON.parse(content) as FileContent);
      if (parsed?.kind !== 'blob') throw new Error(`input file ${fileId} is gone`);
      return parsed.name;
    },

    /** The input has been read: the batch may begin, or has failed by what is wrong in it. */
    begin: async (
      { tenant, id, epoch }: Conducting,
      inputFileId: string,
      input: { total: number; model: string | null; errors: BatchInputError[]; errorCount: number },
    ): Promise<string> => {
      const of = keys.tenant(tenant);
      const errors = input.errorCount === 0 ? '' : JSON.stringify(input.errors);
      return said(
        run(
          'begin-batch',
          [of.batch(id), of.openBatches, of.file(inputFileId), of.expiringBatches],
          [id, epoch, input.total, input.model ?? '', errors, input.errorCount, retentionMs],
        ),
      );
    },

    /** Results that the tenant gets of a lane in a second at present, of whatever it has there. */
    pace: async ({ tenant }: Conducting, laneId: string): Promise<number> =>
      Number(await run('read-pace', [keys.tenant(tenant).paces], [laneId])),

    /** Lets lines into their lanes, in bundles; `false`: somebody else conducts, or the batch takes no more. */
    feed: async (
      { tenant, id, epoch }: Conducting,
      before: InputPlace,
      after: InputPlace,
      bundles: readonly (readonly FedLine[])[],
      maxAttempts: number,
    ): Promise<boolean> => {
      const of = keys.tenant(tenant);
      const args = bundles.flatMap((bundle) => {
        const entry = outboxEntry(bundle.map(({ line }) => firstDelivery(id, line)));
        return bundle.flatMap((line, at) => {
          const fields = [
            ...['endpoint', line.endpoint, 'model', line.model, 'lane', line.laneId],
            ...['priority', 'bulk', 'max_attempts', maxAttempts, 'body', line.body],
            ...['line', line.line, 'custom_id', line.customId],
            ...(line.tokens === null ? [] : ['tokens', JSON.stringify(line.tokens)]),
          ];
          return [fields.length + 2, lineId(id, line.line), at === 0 ? entry : '', ...fields];
        });
      });
      const kind = await said(
        run(
          'feed-lines',
          [
            ...[of.batch(id), of.batchWindow(id), of.outbox, of.expiring],
            ...bundles.flat().map(({ line }) => of.job(lineId(id, line))),
          ],
          [tenant, epoch, before.fed, after.line, after.bytes, OUTBOX_GRACE_MS, ...args],
        ),
      );
      return kind === 'fed';
    },

    /** Outside of its hours a batch calls none of its lines, also of those that it has fed. */
    rest: async ({ tenant, id }: Conducting, isResting: boolean): Promise<void> => {
      await run('pause-batch', [keys.tenant(tenant).batch(id)], ['resting', isResting ? '1' : '0']);
    },

    /** Records what holds up the conductor, for readers of the batch; null when nothing does any more. */
    holdUp: async ({ tenant, id, epoch }: Conducting, heldUp: Batch['heldUp']): Promise<void> => {
      await run(
        'hold-up-batch',
        [keys.tenant(tenant).batch(id)],
        [epoch, heldUp?.reason ?? '', heldUp?.message ?? ''],
      );
    },

    /** Settles lines that were never called. */
    skip: async (
      { tenant, id, epoch }: Conducting,
      before: InputPlace,
      after: InputPlace,
      status: 'cancelled' | 'expired',
      lines: readonly { line: number; customId: string }[],
    ): Promise<boolean> => {
      const of = keys.tenant(tenant);
      const kind = await said(
        run(
          'skip-lines',
          [of.batch(id), of.batchLines(id), of.batchResults(id)],
          [
            ...[epoch, before.fed, after.line, after.bytes, status],
            ...lines.flatMap(({ line, customId }) => [line, customId]),
          ],
        ),
      );
      return kind === 'skipped';
    },

    /** Lines that stand in their queues or are called: their job ids. */
    window: async ({ tenant, id }: Conducting): Promise<string[]> =>
      redis.smembers(keys.tenant(tenant).batchWindow(id)),

    /** Which of these lines wait in a queue, and which are called. */
    isCalled: async ({ tenant }: Conducting, jobIds: readonly string[]): Promise<boolean[]> =>
      Promise.all(
        jobIds.map(
          async (jobId) =>
            (await redis.hget(keys.tenant(tenant).job(jobId), 'status')) === 'in_progress',
        ),
      ),

    /** The oldest results that are not in a file yet. */
    results: async ({ tenant, id }: Conducting, most: number): Promise<LineResult[]> => {
      const stream = keys.tenant(tenant).batchResults(id);
      const entries = (await sendLarge(redis, 'xrange', [stream, '-', '+', 'COUNT', most])) as [
        string,
        string[],
      ][];
      return entries.map(([streamId, flat]) => parseResult(streamId, flat));
    },

    /** Commits results that are durably written, and releases the `blobs` of their answers. Returns `false` if the hold was lost. */
    commit: async (
      { tenant, id, epoch }: Conducting,
      lastStreamId: string,
      output: readonly ResultSegment[],
      failures: readonly ResultSegment[],
      amounts: Readonly<Record<string, number>>,
      blobs: readonly string[] = [],
    ): Promise<boolean> => {
      const of = keys.tenant(tenant);
      const kind = await said(
        run(
          'commit-results',
          [of.batch(id), of.batchResults(id), of.looseBlobs],
          [
            ...[epoch, lastStreamId, JSON.stringify(output), JSON.stringify(failures)],
            ...[blobs.length, ...blobs],
            ...Object.entries(amounts).flat(),
          ],
        ),
      );
      return kind === 'committed';
    },

    finalize: async ({ tenant, id, epoch }: Conducting): Promise<void> => {
      await run('finalize-batch', [keys.tenant(tenant).batch(id)], [epoch]);
    },

    /** Settles the batch; its files appear with it. */
    finish: async (
      { tenant, id, epoch }: Conducting,
      inputFileId: string,
      status: BatchStatus,
      files: { output: OutputFile | null; error: OutputFile | null; expireAfterMs: number | null },
    ): Promise<string> => {
      const of = keys.tenant(tenant);
      const describe = (file: OutputFile | null): (string | number)[] => {
        if (file === null) return ['', '', 0, '', ''];
        const content = { kind: 'segments', segments: file.segments };
        const bytes = file.segments.reduce((sum, segment) => sum + segment.bytes, 0);
        return [file.id, file.filename, bytes, JSON.stringify(content), files.expireAfterMs ?? ''];
      };
      return said(
        run(
          'finish-batch',
          [
            ...[of.batch(id), of.openBatches, of.file(inputFileId), of.files],
            ...[of.batchLines(id), of.batchResults(id), of.batchWindow(id)],
            ...[of.file(files.output?.id ?? 'none'), of.file(files.error?.id ?? 'none')],
            ...[of.expiringFiles, of.expiringBatches],
          ],
          [
            id,
            epoch,
            status,
            retentionMs,
            tenant,
            ...describe(files.output),
            ...describe(files.error),
          ],
        ),
      );
    },
  };
}

/** A line's job: named by its place, so that feeding it twice would be the same job. */
export function lineId(batchId: string, line: number): string {
  return `req_${batchId.slice('batch_'.length)}_${line}`;
}

/** Under which a line goes into its lane for the first time. */
export function firstDelivery(batchId: string, line: number): string {
  return deliveryId(lineId(batchId, line), 1);
}

function parseResult(streamId: string, flat: readonly string[]): LineResult {
  const fields = new Map<string, string>();
  for (let at = 0; at < flat.length; at += 2) fields.set(flat[at] ?? '', flat[at + 1] ?? '');
  const read = (name: string): string | null => fields.get(name) || null;
  const status = read('response_status');
  const code = read('error_code');
  const usage = read('usage');
  const cost = read('cost_usd');
  return {
    streamId,
    line: Number(read('line')),
    customId: fields.get('custom_id') ?? '',
    status: (read('status') ?? 'failed') as JobStatus,
    response:
      status === null
        ? null
        : {
            statusCode: Number(status),
            requestId: read('response_request_id'),
            body: fields.get('response_body') ?? '',
            blob: parseAnswerBlob(read('response_blob'), read('response_bytes')),
          },
    error: code === null ? null : { code, message: read('error_message') ?? '' },
    usage: usage === null ? null : (JSON.parse(usage) as Usage),
    costUsd: cost === null ? null : Number(cost),
  };
}
