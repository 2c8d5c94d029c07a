import { setTimeout as sleep } from 'node:timers/promises';
import type { Api, JobView } from './api.ts';
import { reply, type ChatBody } from './sample/requests.ts';
import { models } from './sample/sample.ts';

/** One job that comes in while the batch runs, and how it went. */
export interface Errand {
  /** By which the provider's ledger knows it. */
  key: string;
  body: ChatBody;
  job: JobView;
  /** Unix milliseconds. */
  submittedAtMs: number;
  /** From its submission until its answer was here, or until it was cancelled. */
  tookMs: number;
  /** Unix milliseconds; null where nobody cancelled. */
  cancelledAtMs: number | null;
}

export interface ErrandOptions {
  api: Api;
  runId: string;
  signal: AbortSignal;
}

const ANSWERED = 4;
const WAIT_SECONDS = 30;
const LOOK_EVERY_MS = 100;
const STARTS_WITHIN_MS = 10_000;

/** Somebody is awake and asks for four replies at once: they go before the lines that wait for the same model. */
export async function askForReplies({ api, runId }: ErrandOptions): Promise<Errand[]> {
  return await Promise.all(
    Array.from({ length: ANSWERED }, async (_, n) => {
      const key = `${runId}-reply-${n + 1}`;
      const body = { ...reply(2 * n + 1, models.reply), user: key };
      const submittedAtMs = Date.now();
      const job = await api.submitJob(body, key, WAIT_SECONDS);
      const tookMs = Date.now() - submittedAtMs;
      return { key, body, job, submittedAtMs, tookMs, cancelledAtMs: null };
    }),
  );
}

/** A job on a model that thinks for very long is called off while the provider works on it. */
export async function changeOnesMind({ api, runId, signal }: ErrandOptions): Promise<Errand> {
  const key = `${runId}-slow`;
  const body = { ...reply(3, models.slow), user: key };
  const submittedAtMs = Date.now();
  let job = await api.submitJob(body, key);
  while (job.status === 'queued' && Date.now() - submittedAtMs < STARTS_WITHIN_MS) {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
    job = await api.job(job.id);
  }
  const cancelledAtMs = Date.now();
  job = await api.cancelJob(job.id);
  return { key, body, job, submittedAtMs, tookMs: Date.now() - submittedAtMs, cancelledAtMs };
}

/** What the jobs beside the batch came to, one line each. */
export function describeErrands(errands: readonly Errand[]): string[] {
  const took = errands
    .filter(({ cancelledAtMs }) => cancelledAtMs === null)
    .map(({ tookMs }) => tookMs / 1000);
  const from = Math.min(...took).toFixed(1);
  const to = Math.max(...took).toFixed(1);
  return [
    `${took.length} urgent jobs overtook the waiting lines: answered in ${from} to ${to} s`,
    `${errands.length - took.length} job was called off while the provider was busy with it`,
  ];
}
