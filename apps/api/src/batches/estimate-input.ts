import type { InputRequest } from '@nightshift/shared/batch';
import { correct, createEstimateError, estimateTokens } from '@nightshift/shared/tokens';

/** Every request is looked at up to here; after it one in ten, which costs a tenth and is near enough. */
const ALL_UP_TO = 10_000;
const ONE_IN = 10;

export interface ModelEstimate {
  requests: number;
  inputTokens: number;
  outputTokens: number;
}

interface Sum extends ModelEstimate {
  /** The requests that were looked at, and of those that were skipped so far how many. */
  looked: number;
}

/** Adds up what the requests of a file will use, by model. */
export function createInputEstimate() {
  const byModel = new Map<string, Sum>();
  const nothingLearnt = createEstimateError();
  let seen = 0;

  return {
    add: ({ url, model, body }: InputRequest): void => {
      const sum = byModel.get(model) ?? { requests: 0, looked: 0, inputTokens: 0, outputTokens: 0 };
      byModel.set(model, sum);
      seen += 1;
      sum.requests += 1;
      // The first of a model always: what is skipped is judged by what was seen of it.
      if (seen > ALL_UP_TO && seen % ONE_IN !== 0 && sum.looked > 0) return;
      const { inputTokens, outputTokens } = correct(
        nothingLearnt,
        estimateTokens(url, model, body),
      );
      sum.looked += 1;
      sum.inputTokens += inputTokens;
      sum.outputTokens += outputTokens;
    },
    isSampled: (): boolean => seen > ALL_UP_TO,
    models: (): Map<string, ModelEstimate> =>
      new Map(
        [...byModel].map(([model, { requests, looked, inputTokens, outputTokens }]) => [
          model,
          {
            requests,
            inputTokens: Math.round((inputTokens * requests) / looked),
            outputTokens: Math.round((outputTokens * requests) / looked),
          },
        ]),
      ),
  };
}
