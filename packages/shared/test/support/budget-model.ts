import type { CallStamp, LimitNews, PaceTurn } from '../../src/redis/index.ts';

type Name = 'requests' | 'tokens';
const names: readonly Name[] = ['requests', 'tokens'];

interface Reservation {
  dateMs: number;
  tokens: number;
}

/** All that ever happened to a budget, in order. */
type Event =
  | { kind: 'turn'; atMs: number }
  | { kind: 'configured'; name: Name; perMinute: number }
  | { kind: 'returned'; requests: number; tokens: number }
  | { kind: 'exceeded'; tokens: number }
  | {
      kind: 'news';
      name: Name;
      news: LimitNews;
      stamp: CallStamp;
      sentAtMs: number;
      isOwn: boolean;
    }
  | { kind: 'wanted'; tokens: number }
  | { kind: 'awaited'; dateMs: number }
  | ({ kind: 'reserved' } & Reservation);

interface Bucket {
  limit: number;
  rate: number;
  capacity: number;
  level: number;
  /** Of the newest own news: what had been reserved, when it was sent; and how fast others use the limit. */
  synced: { reserved: number; atMs: number } | null;
  drift: number;
}

export interface ModelTurn {
  grants: ({ dateMs: number; stamp: Omit<CallStamp, 'epoch'> } | null)[];
  deniedDateMs: Record<string, number>;
}

/**
 * A lane's budget as its contract describes it, for the comparison with the script: keeps the whole log, and works
 * everything out anew from it for each request.
 */
export function createBudgetModel() {
  const log: Event[] = [];
  const reservations = (): Reservation[] => log.filter((event) => event.kind === 'reserved');
  const amount = (of: readonly Reservation[], name: Name): number =>
    of.reduce((sum, { tokens }) => sum + (name === 'requests' ? 1 : tokens), 0);

  const largest = (upTo: number, name: Name): number => {
    if (name === 'requests') return 1;
    let size = 0;
    for (const event of log.slice(0, upTo)) {
      if (event.kind === 'wanted') size = Math.max(event.tokens, size * 0.999);
    }
    return size;
  };

  const floorOf = (bucket: Bucket, isInteractive: boolean, size: number): number => {
    const { capacity, rate } = bucket;
    if (isInteractive) return 0.01 * capacity;
    const windowMs = capacity / rate;
    let share = windowMs >= 30_000 ? 0.05 : windowMs >= 5000 ? 0.1 : 0.15;
    if (capacity < 100) share = Math.max(share, 0.1);
    return Math.max(share * capacity, Math.min(size, 0.25 * capacity));
  };

  /** Replays the log for one of the two limits. */
  const bucketOf = (name: Name): Bucket | null => {
    let bucket: Bucket | null = null;
    let configured: number | null = null;
    let seenSeq = 0;
    let told: number | null = null;
    let atMs = 0;
    let usedAtMs = 0;
    let isHeldDown = false;
    let missing: { units: number; sinceMs: number } | null = null;
    for (const [index, event] of log.entries()) {
      const probe = (of: Bucket): number =>
        floorOf(of, false, largest(index, name)) + 0.02 * of.capacity;
      switch (event.kind) {
        case 'turn': {
          if (atMs === 0) usedAtMs = event.atMs;
          if (bucket !== null) {
            bucket.level = Math.min(
              bucket.capacity,
              bucket.level + bucket.rate * (event.atMs - atMs),
            );
            if (event.atMs - usedAtMs > 10_000)
              bucket.level = Math.min(bucket.level, probe(bucket));
          }
          atMs = event.atMs;
          break;
        }
        case 'configured': {
          if (event.name !== name) break;
          configured = event.perMinute;
          if (bucket !== null) break;
          const rate: number = configured / 60_000;
          bucket = {
            limit: configured,
            rate,
            capacity: configured,
            level: 0,
            synced: null,
            drift: 0,
          };
          bucket.level = probe(bucket);
          isHeldDown = true;
          break;
        }
        case 'returned':
          if (bucket !== null) {
            bucket.level = Math.min(bucket.capacity, bucket.level + event[name]);
          }
          break;
        case 'exceeded':
          if (bucket !== null && name === 'tokens') bucket.level -= event.tokens;
          break;
        case 'news': {
          if (event.name !== name) break;
          const { news, stamp, sentAtMs } = event;
          const isChanged = told !== news.limit;
          const seq = event.isOwn ? stamp.seq : 0;
          if (seq > 0 && seq <= seenSeq) break;
          const own: number = bucket !== null && isHeldDown ? bucket.level : Infinity;
          const was: number = bucket?.level ?? news.remaining;
          told = news.limit;
          bucket = {
            ...(bucket ?? { synced: null, drift: 0 }),
            limit: news.limit,
            rate: news.rate,
            capacity: news.capacity,
            level: was,
          };
          if (seq === 0) {
            if (isChanged) bucket.level = Math.min(was, news.remaining, probe(bucket));
          } else {
            seenSeq = seq;
            const ageMs = Math.max(0, atMs - sentAtMs);
            if (isChanged || ageMs <= (0.5 * news.capacity) / news.rate) {
              const all = amount(
                log.slice(0, index).filter((each) => each.kind === 'reserved'),
                name,
              );
              const since = Math.max(0, all - stamp.guard[name]);
              const level: number =
                Math.min(news.capacity, news.remaining + news.rate * ageMs) - since;
              if (isChanged || missing === null) {
                missing = { units: 0, sinceMs: sentAtMs };
              } else {
                missing.units += was - level;
                const overMs = sentAtMs - missing.sinceMs;
                if (overMs >= 1000) {
                  const kept = 0.5 ** (overMs / 10_000);
                  const drift = kept * bucket.drift + ((1 - kept) * missing.units) / overMs;
                  bucket.drift = Math.max(0, Math.min(0.8 * news.rate, drift));
                  missing = { units: 0, sinceMs: sentAtMs };
                }
              }
              bucket.synced = { reserved: stamp.guard[name], atMs: sentAtMs };
              bucket.level = level;
            }
          }
          if (configured !== null && bucket.rate > configured / 60_000) {
            bucket.limit = configured;
            bucket.rate = configured / 60_000;
            bucket.capacity = Math.min(bucket.capacity, configured);
            bucket.level = Math.min(bucket.level, bucket.capacity, own);
            isHeldDown = true;
          } else {
            isHeldDown = false;
          }
          break;
        }
        case 'wanted':
          break;
        case 'awaited':
          usedAtMs = Math.max(event.dateMs, usedAtMs);
          break;
        case 'reserved':
          usedAtMs = Math.max(atMs, usedAtMs);
          if (bucket !== null) {
            const need = name === 'requests' ? 1 : Math.min(event.tokens, bucket.capacity);
            bucket.level -= need;
          }
      }
    }
    return bucket;
  };

  /** What had been reserved when the first call dated within the last 60 ms was: in steps of 20 ms. */
  const guardAt = (dateMs: number): Record<Name, number> => {
    const all = reservations();
    let last = -Infinity;
    for (const [index, one] of all.entries()) {
      if (one.dateMs < last + 20) continue;
      last = one.dateMs;
      if (one.dateMs > dateMs - 60) {
        const before = all.slice(0, index);
        return { requests: amount(before, 'requests'), tokens: amount(before, 'tokens') };
      }
    }
    return { requests: amount(all, 'requests'), tokens: amount(all, 'tokens') };
  };

  const dateFor = (nowMs: number, isInteractive: boolean, tokens: number): number => {
    let dateMs = nowMs;
    for (const name of names) {
      const bucket = bucketOf(name);
      if (bucket === null) continue;
      const need = Math.min(name === 'requests' ? 1 : tokens, bucket.capacity);
      const { synced } = bucket;
      const drift = synced === null ? 0 : Math.min(bucket.drift, 0.8 * bucket.rate);
      let doubt = 0;
      if (synced !== null) {
        const since = Math.max(0, amount(reservations(), name) - synced.reserved);
        const overrun = name === 'tokens' ? 0.15 * since : 0;
        doubt = overrun + drift * Math.max(0, nowMs - synced.atMs);
      }
      const floor =
        floorOf(bucket, isInteractive, largest(log.length, name)) +
        Math.min(doubt, 0.5 * bucket.capacity);
      const missingUnits = need + Math.min(floor, bucket.capacity - need) - bucket.level;
      dateMs = Math.max(dateMs, nowMs + missingUnits / (bucket.rate - drift));
    }
    return dateMs;
  };

  const horizon = (): number => {
    let horizonMs = 500;
    for (const name of names) {
      const bucket = bucketOf(name);
      if (bucket === null) continue;
      const between = floorOf(bucket, false, largest(log.length, name)) - 0.01 * bucket.capacity;
      horizonMs = Math.min(horizonMs, (0.5 * between) / bucket.rate);
    }
    return Math.max(20, horizonMs);
  };

  return {
    take: (turn: PaceTurn, nowMs: number, epoch: string): ModelTurn => {
      log.push({ kind: 'turn', atMs: nowMs });
      if (turn.returned?.epoch === epoch) log.push({ kind: 'returned', ...turn.returned });
      if (turn.exceeded > 0) log.push({ kind: 'exceeded', tokens: turn.exceeded });
      for (const name of names) {
        const perMinute = turn.limits[name];
        if (perMinute !== undefined) log.push({ kind: 'configured', name, perMinute });
      }
      const { news } = turn;
      for (const name of names) {
        const told = news?.[name];
        if (news === undefined || told === undefined) continue;
        const isOwn = news.epoch === epoch;
        log.push({ kind: 'news', name, news: told, stamp: news, sentAtMs: news.sent_at, isOwn });
      }
      // How far ahead is settled before the turn's own wishes are known.
      const horizonMs = horizon();
      const grants: ModelTurn['grants'] = [];
      const deniedDateMs: Record<string, number> = {};
      for (const [priority, tokens] of turn.wanted) {
        log.push({ kind: 'wanted', tokens });
        if (priority in deniedDateMs) {
          grants.push(null);
          continue;
        }
        const dateMs = dateFor(nowMs, priority === 'interactive', tokens);
        if (dateMs > nowMs + horizonMs) {
          deniedDateMs[priority] = dateMs;
          log.push({ kind: 'awaited', dateMs });
          grants.push(null);
          continue;
        }
        const guard = guardAt(dateMs);
        log.push({ kind: 'reserved', dateMs, tokens });
        grants.push({ dateMs, stamp: { seq: reservations().length, guard } });
      }
      return { grants, deniedDateMs };
    },
    bucketOf,
    floor: (name: Name, isInteractive: boolean): number => {
      const bucket = bucketOf(name);
      return bucket === null ? 0 : floorOf(bucket, isInteractive, largest(log.length, name));
    },
  };
}
