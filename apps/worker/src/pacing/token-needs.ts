import type { TokenCounts } from '@nightshift/shared/job';
import {
  correct,
  createEstimateError,
  inputError,
  inputRatio,
  learn,
  type TokenEstimate,
} from '@nightshift/shared/tokens';
import type { Usage } from '@nightshift/shared/usage';

/** How many tokens to reserve for a request of one lane: its estimate, corrected by what earlier ones really used. */
export interface TokenNeeds {
  of(counts: TokenCounts | null): number;
  learn(counts: TokenCounts | null, usage: Usage): void;
  /** Actual over estimated input tokens, and the share by which corrected estimates are off; null before any. */
  readonly error: { ratio: number; mean: number } | null;
}

/** Of requests that were never counted: accepted while their lane had no limit of tokens. */
const BEFORE_ANY = 500;
const WEIGHT = 0.05;

export function createTokenNeeds(): TokenNeeds {
  let state = createEstimateError();
  let averageUsed = BEFORE_ANY;
  return {
    of: (counts) => {
      if (counts === null) return Math.ceil(averageUsed);
      const { inputTokens, outputTokens } = correct(state, estimateOf(counts));
      return Math.max(1, inputTokens + outputTokens);
    },
    learn: (counts, { inputTokens, outputTokens, totalTokens }) => {
      averageUsed += WEIGHT * (totalTokens - averageUsed);
      if (counts === null) return;
      const { maxOutputTokens, ...estimate } = estimateOf(counts);
      state = learn(state, {
        estimatedInput: estimate.inputTokens,
        actualInput: inputTokens,
        actualOutput: maxOutputTokens === null ? outputTokens : null,
        choices: estimate.choices,
      });
    },
    get error() {
      const mean = inputError(state);
      return mean === null ? null : { ratio: inputRatio(state), mean };
    },
  };
}

function estimateOf([inputTokens, maxOutputTokens, choices]: TokenCounts): Pick<
  TokenEstimate,
  'inputTokens' | 'maxOutputTokens' | 'choices'
> {
  return { inputTokens, maxOutputTokens, choices };
}
