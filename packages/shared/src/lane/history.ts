import { z } from 'zod';
import type { Endpoint } from '../job/index.ts';

/** How long the answers of one endpoint were. Older answers fade: the counts are halved as they grow. */
const answerLengths = z.object({
  answers: z.number(),
  /** Output tokens of all of them. */
  tokens: z.number(),
  /** How many answers had so many tokens, see `bucketOf`. */
  buckets: z.array(z.number()),
});
export type AnswerLengths = z.infer<typeof answerLengths>;

/** What a lane's calls have come to lately; `note-lane.lua` keeps it. */
export interface LaneHistory {
  lengths: ReadonlyMap<Endpoint, AnswerLengths>;
  /** Results per second while work was waiting, over so long a time, until `atMs`. Null before it was measured. */
  reached: { perSecond: number; busyMs: number; atMs: number } | null;
}

/** Over so long a time results are counted together for the rate. */
export const STRETCH_MS = 10_000;
/** Two buckets for each doubling; the last one begins at 8 million tokens. */
const BUCKETS = 48;
const PER_DOUBLING = 2;

export function emptyLengths(): AnswerLengths {
  return { answers: 0, tokens: 0, buckets: Array.from({ length: BUCKETS }, () => 0) };
}

/** Adds one answer, of `tokens` for each of its choices. */
export function addAnswer(lengths: AnswerLengths, tokens: number): void {
  lengths.answers += 1;
  lengths.tokens += Math.round(tokens);
  const bucket = bucketOf(tokens);
  lengths.buckets[bucket] = (lengths.buckets[bucket] ?? 0) + 1;
}

/** 0 for an empty answer; then two for each doubling. */
function bucketOf(tokens: number): number {
  if (tokens < 1) return 0;
  return Math.min(BUCKETS - 1, 1 + Math.floor(PER_DOUBLING * Math.log2(tokens)));
}

/** About the length of the answers in a bucket: its middle, as factors go. */
function lengthIn(bucket: number): number {
  return bucket === 0 ? 0 : 2 ** ((bucket - 0.5) / PER_DOUBLING);
}

/** Tokens to expect of an answer that may have at most `limit`, from what earlier ones had. */
export function expectedLength({ answers, tokens, buckets }: AnswerLengths, limit: number): number {
  if (answers === 0) return 0;
  const sum = (of: (bucket: number) => number): number =>
    buckets.reduce((total, count, bucket) => total + count * of(bucket), 0);
  // The sum is exact and the buckets are not: their lengths are scaled to it.
  const byBuckets = sum(lengthIn);
  const scale = byBuckets === 0 ? 1 : tokens / byBuckets;
  return Math.min(limit, sum((bucket) => Math.min(limit, lengthIn(bucket) * scale)) / answers);
}

/** The history as its hash holds it. A field that is not as expected counts as not there: estimates can do without. */
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
