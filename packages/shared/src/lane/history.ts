import { z } from 'zod';
import type { Endpoint } from '../job/index.ts';

/** A histogram of answer lengths of one endpoint. Older answers fade, because the counts are halved when they grow large. */
const answerLengths = z.object({
  answers: z.number(),
  /** Their output tokens in total. */
  tokens: z.number(),
  /** Number of answers by length, see `bucketOf`. */
  buckets: z.array(z.number()),
});
export type AnswerLengths = z.infer<typeof answerLengths>;

/** Recent answer lengths and throughput of a lane; `note-lane.lua` writes it. */
export interface LaneHistory {
  lengths: ReadonlyMap<Endpoint, AnswerLengths>;
  /** Results per second while work was waiting, measured over `busyMs` until `atMs`. Null before the first measurement. */
  reached: { perSecond: number; busyMs: number; atMs: number } | null;
}

/** Length of the intervals in which throughput is measured. */
export const STRETCH_MS = 10_000;
/** Two buckets for each doubling; the last one begins at 8 million tokens. */
const BUCKETS = 48;
const PER_DOUBLING = 2;

export function emptyLengths(): AnswerLengths {
  return { answers: 0, tokens: 0, buckets: Array.from({ length: BUCKETS }, () => 0) };
}

/** Adds one answer; `tokens` is the length of each of its choices. */
export function addAnswer(lengths: AnswerLengths, tokens: number): void {
  lengths.answers += 1;
  lengths.tokens += Math.round(tokens);
  const bucket = bucketOf(tokens);
  lengths.buckets[bucket] = (lengths.buckets[bucket] ?? 0) + 1;
}

/** 0 for an empty answer, then two buckets for each doubling. */
function bucketOf(tokens: number): number {
  if (tokens < 1) return 0;
  return Math.min(BUCKETS - 1, 1 + Math.floor(PER_DOUBLING * Math.log2(tokens)));
}

/** Typical length of the answers in a bucket: its geometric mean. */
function lengthIn(bucket: number): number {
  return bucket === 0 ? 0 : 2 ** ((bucket - 0.5) / PER_DOUBLING);
}

/** Expected tokens of an answer of at most `limit`, from the lengths of earlier ones. */
export function expectedLength({ answers, tokens, buckets }: AnswerLengths, limit: number): number {
  if (answers === 0) return 0;
  const sum = (of: (bucket: number) => number): number =>
    buckets.reduce((total, count, bucket) => total + count * of(bucket), 0);
  // The total is exact and the buckets are not, so scale their lengths to match it.
  const byBuckets = sum(lengthIn);
  const scale = byBuckets === 0 ? 1 : tokens / byBuckets;
  return Math.min(limit, sum((bucket) => Math.min(limit, lengthIn(bucket) * scale)) / answers);
}

/** Parses the stored history. Ignores malformed fields, since estimates can do without them. */
export function parseHistory(fields: Readonly<Record<string, string>>): LaneHistory {
  const lengths = new Map<Endpoint, AnswerLengths>();
  for (const [field, text] of Object.entries(fields)) {
    const [, endpoint] = /^answers:(.*)$/.exec(field) ?? [];
    const parsed = endpoint === undefined ? null : answerLengths.safeParse(jsonOf(text));
    if (parsed?.success === true) lengths.set(endpoint as Endpoint, parsed.data);
  }
  const [results = 0, stretches = 0, atMs = 0] = (fields['reached'] ?? '').split(' ').map(Number);
  const busyMs = stretches * STRETCH_MS;
  return {
    lengths,
    reached: busyMs > 0 ? { perSecond: (results * 1000) / busyMs, busyMs, atMs } : null,
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
