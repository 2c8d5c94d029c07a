import type { CountedDelivery, Priority } from '../job/index.ts';
import type { Keys } from './keys.ts';
import type { RunScript } from './scripts.ts';

/** Takes part with all that travels with it. */
interface SharingDelivery extends SharingRequest {
  tenant: string;
  flow?: string;
  others?: readonly SharingRequest[];
}
type SharingRequest = Pick<CountedDelivery, 'tokens' | 'characters'>;

/** Places in a lane's queue by which its tenants get equal shares of it, see lua/share-lane.lua. */
export interface FairShare {
  /** A BullMQ priority for each delivery, in their order. */
  places(
    laneId: string,
    priority: Priority,
    deliveries: readonly SharingDelivery[],
  ): Promise<number[]>;
}

/** For a request that does not say how long its answer may get, and for one of which nothing is known. */
const USUAL_OUTPUT = 250;
const USUAL_TOKENS = 500;
/** Roughly, in English. */
const CHARACTERS_PER_TOKEN = 4;

export function createFairShare({ run, keys }: { run: RunScript; keys: Keys }): FairShare {
  return {
    places: async (laneId, priority, deliveries) => {
      const { shares, prioritized } = keys.lane(laneId);
      const flows = deliveries.flatMap((delivery) => {
        const { tenant, flow, others = [] } = delivery;
        return [flow ?? tenant, others.reduce((sum, each) => sum + costOf(each), costOf(delivery))];
      });
      return (await run(
        'share-lane',
        [shares(priority), prioritized(priority)],
        flows,
      )) as number[];
    },
  };
}

/** In thousands of tokens; never nothing, since a request counts as well. */
function costOf({ tokens, characters }: SharingRequest): number {
  if (tokens === null) {
    if (characters === undefined) return USUAL_TOKENS / 1000;
    return (characters / CHARACTERS_PER_TOKEN + USUAL_OUTPUT) / 1000;
  }
  const [input, output, choices] = tokens;
  return Math.max(0.1, (input + (output ?? choices * USUAL_OUTPUT)) / 1000);
}
