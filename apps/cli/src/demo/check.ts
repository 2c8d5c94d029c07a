import { callsByKey, type Call } from './calls.ts';
import type { JobView } from './client.ts';
import type { SampleJob } from './kinds.ts';
import type { RunResult } from './run.ts';

export interface Evidence {
  sample: readonly SampleJob[];
  result: Pick<RunResult, 'accepted' | 'jobs'>;
  /** The same list read once more, some time later. */
  again: readonly JobView[];
  /** By job id, the types of its events. */
  events: ReadonlyMap<string, readonly string[]>;
  /** What the provider received, or null when it keeps no such record for us. */
  ledger: readonly Call[] | null;
}

const TERMINAL = /^job\.(completed|failed|expired|cancelled)$/;

/** What did not go as promised, one line each; empty when all did. */
export function findProblems({ sample, result, again, events, ledger }: Evidence): string[] {
  const problems: string[] = [];
  const byId = new Map(result.jobs.map((job) => [job.id, job]));
  const keyOf = new Map([...result.accepted].map(([key, { id }]) => [id, key]));
  if (byId.size !== result.jobs.length) problems.push('a job is listed more than once');
  for (const id of byId.keys()) {
    if (!keyOf.has(id)) problems.push(`${id} is listed and was never submitted`);
  }
  const before = new Map(result.jobs.map((job) => [job.id, JSON.stringify(job)]));
  for (const job of again) {
    if (before.get(job.id) !== JSON.stringify(job)) {
      problems.push(`${job.id} changed after it was settled`);
    }
  }
  for (const id of byId.keys()) {
    const ends = events.get(id)?.filter((type) => TERMINAL.test(type)).length ?? 0;
    if (ends !== 1) problems.push(`${id} has ${ends} terminal events`);
  }
  if (again.length !== result.jobs.length) problems.push('a settled job disappeared');
  for (const { key, kind, expect } of sample) {
    const id = result.accepted.get(key)?.id;
    const job = id === undefined ? undefined : byId.get(id);
    if (job === undefined) {
      problems.push(`${key} (${kind}) was submitted and is not listed`);
      continue;
    }
    const code = expect.status === 'completed' ? null : expect.errorCode;
    if (job.status !== expect.status || (job.error?.code ?? null) !== code) {
      const wanted = code === null ? expect.status : `${expect.status} with ${code}`;
      const why = job.error ? ` with ${job.error.code}: ${job.error.message}` : '';
      problems.push(`${job.id} (${kind}, ${job.model}) is ${job.status}${why}; expected ${wanted}`);
    }
  }
  if (ledger !== null) problems.push(...findStrayAnswers(result, keyOf, ledger));
  return problems;
}

/** A completed job must hold an answer that the provider gave to that very job, and no two the same. */
function findStrayAnswers(
  { jobs }: Pick<RunResult, 'jobs'>,
  keyOf: ReadonlyMap<string, string>,
  ledger: readonly Call[],
): string[] {
  const calls = callsByKey(ledger);
  return jobs.flatMap((job) => {
    if (job.status !== 'completed') return [];
    const answerId = (job.response?.body as { id?: unknown } | undefined)?.id;
    const own = calls.get(keyOf.get(job.id) ?? '') ?? [];
    const isOwn = own.some((call) => call.outcome === 'ok' && call.response_id === answerId);
    return isOwn ? [] : [`${job.id} holds an answer that the provider did not give to it`];
  });
}
