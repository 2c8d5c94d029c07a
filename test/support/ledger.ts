import { createHash } from 'node:crypto';

/** A call as the simulated provider remembers it. */
export interface ProviderCall {
  n: number;
  at_ms: number;
  ended_at_ms: number | null;
  marker: string | null;
  status: number | null;
  client_aborted: boolean;
  /** The answer's id; null when there was no good answer. */
  response_id: string | null;
  input_tokens: number;
  output_tokens: number;
}

/** When processes were killed: a moment before the signal, and one when they were gone. */
export interface Kill {
  fromMs: number;
  toMs: number;
}

/** A job as a reader sees it over HTTP. */
export interface JobSeen {
  id: string;
  status: string;
  attempts: number;
  response: { status_code: number; body: { choices: { message: { content: string } }[] } } | null;
  error: { code: string; message: string } | null;
}

const settledStatuses = new Set(['completed', 'failed', 'cancelled', 'expired']);
export const isSettled = (job: JobSeen): boolean => settledStatuses.has(job.status);

/**
 * What was promised, what the provider was called with, what readers saw: kept outside of the product, which is
 * judged by it. Each job carries a marker of its own in its body, and the provider repeats it in its answer.
 */
export class Ledger {
  /** Marker → the id that was acknowledged for it. */
  readonly acknowledged = new Map<string, string>();
  readonly #settledAs = new Map<string, string>();
  readonly violations: string[] = [];

  acknowledge(marker: string, id: string): void {
    const before = this.acknowledged.get(marker);
    if (before !== undefined && before !== id) {
      this.violations.push(`marker ${marker} was acknowledged as ${before} and as ${id}`);
    }
    this.acknowledged.set(marker, id);
  }

  /** A reader saw this job. Once settled it must never look different. */
  see(marker: string, job: JobSeen): void {
    if (job.id !== this.acknowledged.get(marker)) {
      this.violations.push(
        `marker ${marker}: read ${job.id}, acknowledged ${this.acknowledged.get(marker)}`,
      );
    }
    const before = this.#settledAs.get(marker);
    const now = isSettled(job) ? digest(job) : undefined;
    if (before !== undefined && before !== now)
      this.violations.push(`${job.id} changed after it was settled`);
    if (now !== undefined) this.#settledAs.set(marker, now);
    const content = job.response?.body.choices[0]?.message.content;
    if (job.status === 'completed' && content?.includes(`[marker:${marker}]`) !== true) {
      this.violations.push(`${job.id} holds an answer that was not given for it: ${content}`);
    }
  }

  get settledCount(): number {
    return this.#settledAs.size;
  }

  /** Every acknowledged job is settled; the provider was called for nothing else. */
  judge(calls: readonly ProviderCall[]): void {
    for (const [marker, id] of this.acknowledged) {
      if (!this.#settledAs.has(marker))
        this.violations.push(`${id} was acknowledged and is not settled`);
    }
    for (const call of calls) {
      if (call.marker === null || !this.acknowledged.has(call.marker)) {
        this.violations.push(
          `call ${call.n} was made for ${call.marker}, which was never acknowledged`,
        );
      }
    }
  }
}

/** Calls that were made again, each with the one that came before it. */
export function repeats(
  calls: readonly ProviderCall[],
): { earlier: ProviderCall; again: ProviderCall }[] {
  const last = new Map<string, ProviderCall>();
  const found: { earlier: ProviderCall; again: ProviderCall }[] = [];
  for (const call of calls) {
    const marker = call.marker ?? '';
    const earlier = last.get(marker);
    if (earlier !== undefined) found.push({ earlier, again: call });
    last.set(marker, call);
  }
  return found;
}

/** An answer that came so shortly before a kill may not have been on record yet. */
const RECORDED_WITHIN_MS = 500;

/** Whether a call was under way at a kill, or its answer on the way to its record. */
export function wasInFlight(call: ProviderCall, { fromMs, toMs }: Kill): boolean {
  return call.at_ms <= toMs && (call.ended_at_ms ?? Infinity) >= fromMs - RECORDED_WITHIN_MS;
}

/** Calls made again although no kill took the answer of the earlier one. */
export function needless(
  calls: readonly ProviderCall[],
  kills: readonly Kill[],
): ReturnType<typeof repeats> {
  return repeats(calls).filter(({ earlier }) => !kills.some((kill) => wasInFlight(earlier, kill)));
}

function digest(job: JobSeen): string {
  return createHash('sha256').update(JSON.stringify(job)).digest('hex');
}
