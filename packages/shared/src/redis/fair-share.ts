import type { Priority, TokenCounts } from '../job/index.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

/** Takes part with all that travels with it. */
interface SharingDelivery {
  tenant: string;
  tokens: TokenCounts | null;
  flow?: string;
  others?: readonly { tokens: TokenCounts | null }[];
}

/** Places in a lane's queue by which its tenants get equal shares of it, see lua/share-lane.lua. */
export interface FairShare {
  /** A BullMQ priority for each delivery, in their order. */
  places(
    laneId: string,
    priority: Priority,
    deliveries: readonly SharingDelivery[],
  ): Promise<number[]>;
}

/** For a request that does not say how long its answer may get, and for one that was never counted. */
const USUAL_OUTPUT = 250;
const USUAL_TOKENS = 500;

export function createFairShare({ run, keys }: { run: RunScript; keys: Keys }): FairShare {
  return {
    places: async (laneId, priority, deliveries) => {
      const { shares, prioritized } = keys.lane(laneId);
      const flows = deliveries.flatMap(({ tenant, tokens, flow, others = [] }) => [
        flow ?? tenant,
        others.reduce((sum, other) => sum + costOf(other.tokens), costOf(tokens)),
      ]);
      return (await run(
        'share-lane',
        [shares(priority), prioritized(priority)],
        flows,
      )) as number[];
    },
  };
}

/** In thousands of tokens; never nothing, since a request counts as well. */
function costOf(tokens: TokenCounts | null): number {
  if (tokens === null) return USUAL_TOKENS / 1000;
  const [input, output, choices] = tokens;
  return Math.max(0.1, (input + (output ?? choices * USUAL_OUTPUT)) / 1000);
}
