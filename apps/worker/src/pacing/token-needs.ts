import type { TokenCounts } from '@nightshift/shared/job';
import type { Usage } from '@nightshift/shared/usage';

/** How many tokens to reserve for a request of one lane: its estimate, corrected by what earlier ones really used. */
export interface TokenNeeds {
  of(counts: TokenCounts | null): number;
  learn(counts: TokenCounts | null, usage: Usage): void;
}

export function createTokenNeeds(): TokenNeeds {
  let average = 500;
  return {
    of: (counts) => {
      if (counts === null) return average;
      const [input, output, choices] = counts;
      return Math.max(1, input + choices * (output ?? 16));
    },
    learn: (_counts, usage) => {
      average += 0.05 * ((usage.totalTokens ?? average) - average);
    },
  };
}
