/** The limits of the provider in one run, as it really applies them. */
export interface LimitModel {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  requestWindowMs: number;
  tokenWindowMs: number;
  /** How full the buckets are at the first call, 0 to 1. */
  startLevel: number;
  /** The part of the refill that others eat, 0 to 1. */
  outsideShare: number;
  /** Limits times `factor` from then on; counted from the first call, in order. */
  changes: readonly LimitChange[];
}

interface LimitChange {
  atMs: number;
  factor: number;
}

/** A bucket that is refilled continuously; written apart from the simulator's, so that the two check each other. */
interface Bucket {
  capacity: number;
  perMs: number;
  level: number;
}

const EPSILON = 1e-6;

/**
 * When each call could have been let in at the earliest if all were there from the start and came in this order,
 * in milliseconds from the first. `charges` are the tokens that each takes.
 */
export function* earliestAdmissions(
  model: LimitModel,
  charges: Iterable<number>,
): Generator<number, void, void> {
  const requests = bucketOf(model.requestsPerMinute, model.requestWindowMs, model);
  const tokens = bucketOf(model.tokensPerMinute, model.tokenWindowMs, model);
  const buckets = [requests, tokens].filter((bucket) => bucket !== null);
  const changes = [...model.changes];
  let factor = 1;
  let nowMs = 0;
  const advance = (toMs: number): void => {
    for (const bucket of buckets) {
      bucket.level = Math.min(bucket.capacity, bucket.level + (toMs - nowMs) * bucket.perMs);
    }
    nowMs = toMs;
  };
  for (const charge of charges) {
    for (;;) {
      const dueMs = nowMs + Math.max(untilMs(requests, 1), untilMs(tokens, charge));
      const change = changes[0];
      if (change === undefined || dueMs < change.atMs) {
        advance(dueMs);
        break;
      }
      advance(change.atMs);
      for (const bucket of buckets) scale(bucket, change.factor / factor);
      ({ factor } = change);
      changes.shift();
    }
    if (requests) requests.level -= 1;
    if (tokens) tokens.level -= charge;
    yield nowMs;
  }
}

/** What a caller that never leaves anything in a bucket could have been let in with, up to `untilMs`. */
export function allowedBy(
  model: LimitModel,
  untilMs: number,
): { requests: number | null; tokens: number | null } {
  const flow = (perMinute: number | null, windowMs: number): number | null => {
    const bucket = bucketOf(perMinute, windowMs, model);
    if (bucket === null) return null;
    let total = bucket.level;
    let fromMs = 0;
    let factor = 1;
    for (const change of [...model.changes, { atMs: untilMs, factor: 1 }]) {
      const toMs = Math.min(change.atMs, untilMs);
      total += Math.max(0, toMs - fromMs) * bucket.perMs * factor;
      // A limit that is raised keeps what is used: the difference is there at once.
      const isLast = change.atMs >= untilMs;
      if (!isLast) total += Math.max(0, change.factor - factor) * bucket.capacity;
      if (isLast) break;
      ({ factor } = change);
      fromMs = toMs;
    }
    return total;
  };
  return {
    requests: flow(model.requestsPerMinute, model.requestWindowMs),
    tokens: flow(model.tokensPerMinute, model.tokenWindowMs),
  };
}

function bucketOf(perMinute: number | null, windowMs: number, model: LimitModel): Bucket | null {
  if (perMinute === null) return null;
  const capacity = Math.max(1, (perMinute * windowMs) / 60_000);
  return {
    capacity,
    perMs: (perMinute / 60_000) * (1 - model.outsideShare),
    level: capacity * model.startLevel,
  };
}

function untilMs(bucket: Bucket | null, amount: number): number {
  if (bucket === null) return 0;
  if (amount > bucket.capacity + EPSILON) {
    throw new RangeError(`${amount} never fit into a bucket of ${bucket.capacity}`);
  }
  return Math.max(0, amount - bucket.level - EPSILON) / bucket.perMs;
}

/** Another limit keeps what is used, not what is left. */
function scale(bucket: Bucket, by: number): void {
  const used = bucket.capacity - bucket.level;
  bucket.capacity *= by;
  bucket.perMs *= by;
  bucket.level = Math.max(0, bucket.capacity - used);
}
