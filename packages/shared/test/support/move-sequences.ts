import fc from 'fast-check';
import { newJobId } from '../../src/job/index.ts';
import type { Claim } from '../../src/redis/index.ts';
import { newJob, type Stores } from './stores.ts';

/** One move, of one of a few jobs. */
export type AnyMove =
  | { kind: 'accept'; job: number; key: 'a' | 'b' | null; hash: string; expires: boolean }
  | { kind: 'begin'; job: number; delivery: number; claim: number }
  | { kind: 'settle'; job: number; generation: number; status: 'completed' | 'failed' };

const JOBS = 5;
const HOUR_MS = 3_600_000;
const job = fc.nat({ max: JOBS - 1 });

const anyMove: fc.Arbitrary<AnyMove> = fc.oneof(
  fc.record({
    kind: fc.constant('accept' as const),
    job,
    key: fc.constantFrom('a' as const, 'b' as const, null, null),
    hash: fc.constantFrom('x', 'y'),
    expires: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('begin' as const),
    job,
    delivery: fc.constantFrom(1, 1, 1, 2),
    claim: fc.nat({ max: 6 }),
  }),
  fc.record({
    kind: fc.constant('settle' as const),
    job,
    generation: fc.integer({ min: 1, max: 3 }),
    status: fc.constantFrom('completed' as const, 'failed' as const),
  }),
);

/** Turns of the event loop with the moves that are asked for in each. */
export const turns = fc.array(fc.array(anyMove, { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 8,
});

export const newIds = (): string[] => Array.from({ length: JOBS }, newJobId);

const scripts = { accept: 'accept-job', begin: 'begin-attempt', settle: 'settle-job' } as const;

/** The order in which a turn's moves reached Redis, by the calls that were seen: one for each kind. */
export function asSent(moves: readonly AnyMove[], calls: readonly string[]): AnyMove[] {
  const place = ({ kind }: AnyMove): number => calls.indexOf(scripts[kind]);
  return moves.toSorted((one, other) => place(one) - place(other));
}

/** Makes a move; resolves to what its caller is told, without instants and bodies. */
export async function make(
  { jobs, attempts }: Stores,
  tenant: string,
  ids: readonly string[],
  move: AnyMove,
): Promise<string> {
  const id = ids[move.job]!;
  switch (move.kind) {
    case 'accept': {
      const idempotency = move.key && { key: move.key, contentHash: move.hash };
      const wanted = newJob(tenant, {
        body: `{"model":"m","of":${move.job}}`,
        expiresAfterMs: move.expires ? HOUR_MS : null,
      });
      const result = await jobs.accept(id, wanted, idempotency);
      return `${result.kind} ${result.id}`;
    }
    case 'begin': {
      const claim = `claim-${move.claim}`;
      const result = await attempts.begin(tenant, id, move.delivery, claim, 'worker');
      if (result.kind !== 'started') return result.kind;
      const { jobId, generation, attempt, rescues, body } = result.claim;
      return `started ${jobId} ${generation} ${attempt} ${rescues} ${body}`;
    }
    case 'settle': {
      const claim = { tenant, jobId: id, generation: move.generation } as Claim;
      return attempts.settle(claim, {
        status: move.status,
        response: {
          statusCode: 200,
          requestId: null,
          body: `{"of":${move.job},"by":${move.generation}}`,
        },
        error: null,
        usage: null,
        costUsd: null,
      });
    }
  }
}

/** Everything that a tenant has in Redis, without instants and its name. */
export async function stored(
  { redis, keys, allKeys }: Stores,
  tenant: string,
): Promise<Record<string, unknown>> {
  const prefix = keys.tenant(tenant).job('').slice(0, -'job:'.length);
  // How fast results came is of the clock, not of the moves.
  const own = (await allKeys())
    .filter((key) => key.startsWith(prefix) && key !== keys.tenant(tenant).paces)
    .toSorted();
  const plain = (text: string): string =>
    text.replaceAll(tenant, 'TENANT').replaceAll(/\d{13}/g, 'AT');
  const contents = own.map(async (key) => {
    const type = await redis.type(key);
    const expires = (await redis.pttl(key)) > 0;
    if (type !== 'hash')
      return [plain(key), { expires, members: (await redis.zrange(key, '0', '-1')).toSorted() }];
    const fields = Object.entries(await redis.hgetall(key)).map(([name, value]) => [
      name,
      plain(value),
    ]);
    return [plain(key), { expires, fields: Object.fromEntries(fields) as unknown }];
  });
  return Object.fromEntries(await Promise.all(contents)) as Record<string, unknown>;
}
